//! Writes of subscribers. Events of one person are folded in on several shards concurrently, and actions write as well.
//! So each write has an optimistic lock, and a conflict is retried.

use super::{Store, StoreError, back_off};
use models::{EventId, Folding, Person, Profile, SubscriberId, records::StoredSubscriber};

/// Retry limit for optimistic-lock conflicts.
pub const ATTEMPTS: u32 = 30;

impl Store {
    /// The person's profile; none for an erased person.
    pub async fn profile(&self, id: &SubscriberId) -> Result<Option<Profile>, StoreError> {
        let stored: Option<StoredSubscriber> = self.record(id.as_str()).await?;
        Ok(stored.as_ref().map(StoredSubscriber::open).transpose()?.flatten())
    }

    /// Folds data about a person that an action obtained, like an event with this id.
    pub async fn fold_person(&self, person: &Person, by: &EventId) -> Result<(), StoreError> {
        self.fold(&person.id, |folding| folding.fold(person, by, 0)).await
    }

    /// Folds into a person's record. `fold` may be called more than once.
    pub async fn fold<T>(&self, id: &SubscriberId, mut fold: impl FnMut(&mut Folding) -> T) -> Result<T, StoreError> {
        for attempt in 0..ATTEMPTS {
            let mut folding = Folding::open(self.record(id.as_str()).await?)?;
            let folded = fold(&mut folding);
            let Some(changed) = folding.changed(id)? else { return Ok(folded) };
            match self.write_subscriber(id, &changed).await {
                Err(StoreError::Condition(_)) => back_off(attempt).await,
                written => return written.map(|()| folded),
            }
        }
        Err(StoreError::Condition(None))
    }
}
