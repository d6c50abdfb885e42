//! Reads and writes of events and rejected calls.

use super::{
    Item, Store, StoreError, from_item,
    list::{HIGHEST_SORT_KEY, Listing},
    number,
    packed_events::event_item,
    tables::{BY_PERSON, BY_TIME},
    text, to_item, transaction,
};
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, builders::PutBuilder};
use models::{
    ConnectionId, EventId, HookId, RejectedId, StoredEvent, SubscriberId, Timestamp,
    event::{connection_key, list_key, person_key},
    ids::{SHARDS, lower_bound},
};
use serde::{Deserialize, Serialize};

/// Outcome of storing an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptOutcome {
    Accepted,
    /// The same content was stored before, as this event.
    Duplicate(EventId),
}

/// A call with a valid token that could not become an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RejectedCall {
    pub pk: RejectedId,
    pub v: u32,
    /// Partition key in the index by time. It names the connection, so that an erasure finds the call after its hook is
    /// deleted.
    pub list: String,
    /// Sort key of the index: `<id> <hook>`.
    pub sort: String,
    /// The code of the answer.
    pub code: String,
    pub detail: String,
    pub content_type: Option<String>,
    /// The `Content-Encoding` that was removed before the body was stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub encoding: Option<String>,
    /// Size of the body in bytes.
    pub bytes: u64,
    /// The body, unless it was too large or a person in it was erased.
    #[serde(with = "serde_bytes", skip_serializing_if = "Option::is_none", default)]
    pub body: Option<Vec<u8>>,
    pub expires: u64,
}

/// Retry limit for conflicting writes. Another writer wins each time, so this ends.
const ATTEMPTS: usize = 20;

impl Store {
    /// Stores an event, unless the same content was stored within the window. This is one write, except if the same
    /// content was stored before the window: then the earlier event moves to its own id, and both are kept.
    pub async fn accept(&self, event: &StoredEvent, window_millis: u64) -> Result<AcceptOutcome, StoreError> {
        for _ in 0..ATTEMPTS {
            let put = self.client.put_item().table_name(&self.tables.events).set_item(Some(event_item(event)?));
            let put = put
                .condition_expression("attribute_not_exists(pk)")
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let earlier = match put.send().await.map_err(StoreError::from) {
                Ok(_) => return Ok(AcceptOutcome::Accepted),
                Err(StoreError::Condition(Some(earlier))) => *earlier,
                Err(StoreError::Condition(None)) => continue,
                Err(error) => return Err(error),
            };
            let old: StoredEvent = from_item(earlier.clone())?;
            let (id, old_id) = (event.key()?.id, old.key()?.id);
            if old.nonce == event.nonce && old_id == id {
                // A retry by the SDK, after the answer to the first try was lost.
                return Ok(AcceptOutcome::Accepted);
            }
            // An erased event has no content that a call could duplicate.
            if !old.is_erased() && id.time().millis_since(old_id.time()) < window_millis {
                return Ok(AcceptOutcome::Duplicate(old_id));
            }
            match self.replace(&old, earlier, event_item(event)?).await {
                Ok(()) => return Ok(AcceptOutcome::Accepted),
                Err(StoreError::Condition(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Condition(None))
    }

    /// Moves an event to its own id and puts a later one in its place. Fails if the earlier one was changed since it
    /// was read.
    /// read.
    async fn replace(&self, old: &StoredEvent, mut earlier: Item, item: Item) -> Result<(), StoreError> {
        earlier.insert("pk".to_owned(), text(old.key()?.id.as_str()));
        let put = || Put::builder().table_name(&self.tables.events);
        let keep = put().set_item(Some(earlier)).condition_expression("attribute_not_exists(pk)");
        let store = put()
            .set_item(Some(item))
            .condition_expression("#sort = :sort AND #rev = :rev")
            .expression_attribute_names("#sort", "sort")
            .expression_attribute_names("#rev", "rev")
            .expression_attribute_values(":sort", text(&old.sort))
            .expression_attribute_values(":rev", number(u64::from(old.rev)));
        let mut write = self.client.transact_write_items();
        for put in [keep, store] {
            write = write.transact_items(transaction::put(put)?);
        }
        write.send().await?;
        Ok(())
    }

    /// Writes an item together with an event about it: a changed item, unless it was changed since it was read; a new
    /// one, unless it exists.
    pub(super) async fn write_with_event(
        &self,
        table: &str,
        item: Item,
        read: u64,
        event: &StoredEvent,
    ) -> Result<(), StoreError> {
        let put = Put::builder().table_name(table).set_item(Some(item));
        let put = match read {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            read => put
                .condition_expression("#version = :read")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":read", number(read)),
        };
        self.put_with_event(put, event).await
    }

    /// Writes an item with a condition, together with its event.
    pub(super) async fn put_with_event(&self, put: PutBuilder, event: &StoredEvent) -> Result<(), StoreError> {
        self.transact(vec![transaction::put(put)?, self.new_event(event)?]).await
    }

    /// The write of a new event, for a transaction.
    pub(super) fn new_event(&self, event: &StoredEvent) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.tables.events).set_item(Some(event_item(event)?));
        transaction::put(put.condition_expression("attribute_not_exists(pk)"))
    }

    /// Finds an event by its id: under the key at the end of the id, or under the id itself once a later event has
    /// taken that key.
    pub async fn event(&self, id: &EventId) -> Result<Option<StoredEvent>, StoreError> {
        for pk in [id.key().to_string(), id.to_string()] {
            if let Some(item) = self.get(&self.tables.events, &pk).await? {
                let event: StoredEvent = from_item(item)?;
                if event.key()?.id == *id {
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }

    /// Writes a new revision of an event, unless it was changed.
    pub async fn revise(&self, event: &StoredEvent) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.tables.events).set_item(Some(event_item(event)?));
        put.condition_expression("#sort = :sort AND #rev = :read")
            .expression_attribute_names("#sort", "sort")
            .expression_attribute_names("#rev", "rev")
            .expression_attribute_values(":sort", text(&event.sort))
            .expression_attribute_values(":read", number(u64::from(event.rev.saturating_sub(1))))
            .send()
            .await?;
        Ok(())
    }

    /// Removes an event's personal data. An event that was kept for good expires from then on.
    pub async fn scrub(&self, mut event: StoredEvent, expires: Timestamp) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            if event.raw.is_none() {
                return Ok(());
            }
            match self.revise(&event.scrubbed(expires)).await {
                Err(StoreError::Condition(_)) => {}
                done => return done,
            }
            match self.event(&event.key()?.id).await? {
                Some(again) => event = again,
                None => return Ok(()),
            }
        }
        Err(StoreError::Condition(None))
    }

    /// Events after and before an instant, up to a position.
    pub fn events(&self, after: Option<Timestamp>, before: Option<Timestamp>, position: Option<String>) -> Listing<'_> {
        let bound = |at: Timestamp| lower_bound(EventId::PREFIX, at);
        let before = before.map_or_else(|| HIGHEST_SORT_KEY.to_owned(), bound);
        Listing {
            table: &self.tables.events,
            index: BY_TIME,
            shards: (0..SHARDS).map(list_key).collect(),
            from: after.map_or_else(|| EventId::PREFIX.to_owned(), |at| bound(Timestamp::from_millis(at.millis() + 1))),
            until: position.map_or(before.clone(), |position| position.min(before)),
        }
    }

    /// A person's events, up to a sort key.
    pub fn events_of(&self, subscriber: &SubscriberId, until: String) -> Listing<'_> {
        Listing {
            table: &self.tables.events,
            index: BY_PERSON,
            shards: (0..SHARDS).map(|shard| person_key(subscriber, shard)).collect(),
            from: EventId::PREFIX.to_owned(),
            until,
        }
    }

    /// Events after and before an instant: of one person, or all.
    pub fn events_about(
        &self,
        person: Option<&SubscriberId>,
        after: Option<Timestamp>,
        before: Option<Timestamp>,
        position: Option<String>,
    ) -> Listing<'_> {
        let span = self.events(after, before, position);
        match person {
            Some(person) => Listing { from: span.from, ..self.events_of(person, span.until) },
            None => span,
        }
    }

    /// A connection's events without a person, up to a sort key.
    pub fn events_without_person(&self, connection: &ConnectionId, until: String) -> Listing<'_> {
        let shards = (0..SHARDS).map(|shard| connection_key(connection, shard)).collect();
        let from = EventId::PREFIX.to_owned();
        Listing { table: &self.tables.events, index: BY_PERSON, shards, from, until }
    }

    pub async fn reject(&self, call: &RejectedCall) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.tables.events).set_item(Some(to_item(call)?));
        put.send().await?;
        Ok(())
    }

    pub async fn rejected_call(&self, id: &RejectedId) -> Result<Option<RejectedCall>, StoreError> {
        self.get(&self.tables.events, id.as_str()).await?.map(from_item).transpose()
    }

    /// A connection's rejected calls.
    pub fn rejected(&self, connection: &ConnectionId, position: Option<String>) -> Listing<'_> {
        Listing {
            table: &self.tables.events,
            index: BY_TIME,
            shards: (0..SHARDS).map(|shard| rejected_key(connection, shard)).collect(),
            from: RejectedId::PREFIX.to_owned(),
            until: position.unwrap_or_else(|| HIGHEST_SORT_KEY.to_owned()),
        }
    }
}

impl RejectedCall {
    /// True if a rejected call belongs to this hook, from its sort key.
    pub fn belongs_to(hook: &HookId, sort: &str) -> bool {
        sort.split(' ').nth(1) == Some(hook.as_str())
    }
}

/// Partition key of a shard in the index of rejected calls by time.
pub fn rejected_key(connection: &ConnectionId, shard: usize) -> String {
    format!("rejected {connection}#{shard:02}")
}
