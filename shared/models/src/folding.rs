//! The fold of events into a person's record.

use crate::{
    ids::{EventId, SubscriberId},
    records::{RecordKeys, StoredSubscriber},
    subscriber::{Person, Profile},
};

/// A person's record as it was read, and the profile that events are folded into.
pub struct Folding {
    read: Option<StoredSubscriber>,
    profile: Option<Profile>,
}

impl Folding {
    pub fn open(read: Option<StoredSubscriber>) -> Result<Self, serde_json::Error> {
        let profile = read.as_ref().map(StoredSubscriber::open).transpose()?.flatten();
        Ok(Self { read, profile })
    }

    pub const fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// True for an event that is not folded, because the person was erased after it.
    pub fn is_late(&self, event: &EventId) -> bool {
        self.read.as_ref().is_some_and(|read| read.is_erased_after(event))
    }

    /// Folds an event's data about the person, unless the event is late.
    pub fn fold(&mut self, person: &Person, event: &EventId, revision: u32) {
        if !self.is_late(event) {
            self.profile.get_or_insert_with(|| Profile::new(person, event.time())).fold(person, event, revision);
        }
    }

    /// The record to write; none if it is unchanged. The comparison is of the stored text: a profile over the size limit is
    /// stored without the parts that it has no room for.
    pub fn changed(&self, id: &SubscriberId) -> Result<Option<StoredSubscriber>, serde_json::Error> {
        let Some(profile) = &self.profile else { return Ok(None) };
        profile.changed(id, self.read.as_ref())
    }
}

impl Profile {
    /// The record to write in place of the one that was read; none if it is unchanged.
    pub fn changed(
        &self,
        id: &SubscriberId,
        read: Option<&StoredSubscriber>,
    ) -> Result<Option<StoredSubscriber>, serde_json::Error> {
        let json = self.to_json()?;
        if read.is_some_and(|read| read.profile.as_ref() == Some(&json)) {
            return Ok(None);
        }
        Ok(Some(StoredSubscriber {
            place: Some(RecordKeys::of_subscriber(id, self)),
            version: read.map_or(0, |read| read.version) + 1,
            profile: Some(json),
            erased_at: read.and_then(|read| read.erased_at),
            erasing: read.and_then(|read| read.erasing.clone()),
        }))
    }
}
