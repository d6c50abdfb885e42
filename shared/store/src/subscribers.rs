//! Writing subscribers. Events of one person are folded in on several shards at once, and actions write too: each write
//! is made on condition that no other came between, and made anew if one did.

use super::{Store, StoreError, back_off};
use models::{
    EventId, Person, Profile, SubscriberId, Timestamp,
    records::{Place, StoredSubscriber},
};

/// How often a write that lost to another is tried anew.
pub const ATTEMPTS: u32 = 30;

impl Store {
    /// What is known of a person; nothing of one that was erased.
    pub async fn profile(&self, id: &SubscriberId) -> Result<Option<Profile>, StoreError> {
        let stored: Option<StoredSubscriber> = self.record(id.as_str()).await?;
        Ok(stored.as_ref().map(StoredSubscriber::open).transpose()?.flatten())
    }

    /// Takes in what an action was told of a person, as if an event of this id had: not if the person was erased after
    /// that.
    pub async fn tell(&self, person: &Person, by: &EventId) -> Result<(), StoreError> {
        self.change_profile(&person.id, |profile, erased_at| {
            if erased_at.is_none_or(|erased_at| erased_at < by.time()) {
                profile.get_or_insert_with(|| Profile::new(person, by.time())).fold(person, by, 0);
            }
        })
        .await
    }

    /// Changes what is known of a person, by what is known and when an earlier life of the person was erased. The change
    /// may be asked for more than once.
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

    /// Writes what is known of a person, if nothing else has since the record was read.
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

/// The record that is to be written of what is known of a person; none if the one that was read says the same.
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
