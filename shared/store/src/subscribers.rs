//! Writes of subscribers. Events of one person are folded in on several shards concurrently, and actions write as well.
//! So each write has an optimistic lock, and a conflict is retried.

use super::{Store, StoreError, back_off};
use models::{
    EventId, Person, Profile, SubscriberId, Timestamp,
    records::{Place, StoredSubscriber},
};

/// Retry limit for optimistic-lock conflicts.
pub const ATTEMPTS: u32 = 30;

impl Store {
    /// The person's profile; none for an erased person.
    pub async fn profile(&self, id: &SubscriberId) -> Result<Option<Profile>, StoreError> {
        let stored: Option<StoredSubscriber> = self.record(id.as_str()).await?;
        Ok(stored.as_ref().map(StoredSubscriber::open).transpose()?.flatten())
    }

    /// Folds an action's data about a person in, like an event with this id. Does nothing if the person was erased
    /// after it.
    pub async fn tell(&self, person: &Person, by: &EventId) -> Result<(), StoreError> {
        self.change_profile(&person.id, |profile, erased_at| {
            if erased_at.is_none_or(|erased_at| erased_at < by.time()) {
                profile.get_or_insert_with(|| Profile::new(person, by.time())).fold(person, by, 0);
            }
        })
        .await
    }

    /// Changes a person's profile. `change` gets the profile and the time of an earlier erasure, and may be called more
    /// than once.
    pub async fn change_profile<T>(
        &self,
        id: &SubscriberId,
        mut change: impl FnMut(&mut Option<Profile>, Option<Timestamp>) -> T,
    ) -> Result<T, StoreError> {
        for attempt in 0..ATTEMPTS {
            let stored: Option<StoredSubscriber> = self.record(id.as_str()).await?;
            let mut profile = stored.as_ref().map(StoredSubscriber::open).transpose()?.flatten();
            let changed = change(&mut profile, stored.as_ref().and_then(|stored| stored.erased_at));
            let Some(profile) = profile else { return Ok(changed) };
            match self.write_profile(id, stored.as_ref(), &profile).await {
                Err(StoreError::Condition(_)) => back_off(attempt).await,
                written => return written.map(|()| changed),
            }
        }
        Err(StoreError::Condition(None))
    }

    /// Writes a person's profile, unless the record was changed since it was read.
    pub async fn write_profile(
        &self,
        id: &SubscriberId,
        read: Option<&StoredSubscriber>,
        profile: &Profile,
    ) -> Result<(), StoreError> {
        match changed(id, read, profile)? {
            Some(subscriber) => self.write_subscriber(id, &subscriber).await,
            None => Ok(()),
        }
    }
}

/// The record to write for a profile; none if it is unchanged.
pub fn changed(
    id: &SubscriberId,
    read: Option<&StoredSubscriber>,
    profile: &Profile,
) -> Result<Option<StoredSubscriber>, StoreError> {
    let json = profile.to_json()?;
    if read.is_some_and(|read| read.profile.as_ref() == Some(&json)) {
        return Ok(None);
    }
    Ok(Some(StoredSubscriber {
        place: Some(Place::of_subscriber(id, profile)),
        version: read.map_or(0, |read| read.version) + 1,
        profile: Some(json),
        erased_at: read.and_then(|read| read.erased_at),
        erasing: read.and_then(|read| read.erasing.clone()),
    }))
}
