//! Batch read of events by their ids.

use super::{
    Store, StoreError,
    batch_get::{Key, TableKeys},
    from_item, text_of,
};
use models::{EventId, StoredEvent, causes};
use std::collections::{BTreeSet, HashMap};

/// Number of keys that DynamoDB accepts in one request.
const KEYS: usize = 100;

impl Store {
    /// Events by id. Missing and unreadable ones are left out. 100 events are one request. A second one looks for those
    /// whose keys a later event has taken.
    pub async fn events_by_id(&self, ids: &BTreeSet<EventId>) -> Result<HashMap<EventId, StoredEvent>, StoreError> {
        let mut found = HashMap::new();
        let all: Vec<&EventId> = ids.iter().collect();
        self.find_events(&all, |id| id.key().to_string(), &mut found).await?;
        let moved: Vec<&EventId> = ids.iter().filter(|id| !found.contains_key(*id)).collect();
        self.find_events(&moved, EventId::to_string, &mut found).await?;
        Ok(found)
    }

    async fn find_events(
        &self,
        ids: &[&EventId],
        pk: impl Fn(&EventId) -> String,
        found: &mut HashMap<EventId, StoredEvent>,
    ) -> Result<(), StoreError> {
        let table = &self.tables.events;
        for ids in ids.chunks(KEYS) {
            let keys = ids.iter().map(|id| Key::of(pk(id))).collect();
            // An event is older than what refers to it, so an eventually consistent read finds it, at half the price.
            let items = self.get_all_of([TableKeys { table, keys, is_consistent: false }]).await?.remove(table);
            for item in items.unwrap_or_default() {
                let pk = text_of(&item, "pk").to_owned();
                let read = from_item(item).and_then(|event: StoredEvent| Ok((event.key()?.id, event)));
                match read {
                    Ok((id, event)) if ids.contains(&&id) => _ = found.insert(id, event),
                    Ok(_) => {}
                    Err(error) => tracing::error!(item = pk, cause = causes(&error), "an event can't be read"),
                }
            }
        }
        Ok(())
    }
}
