//! Deliveries.

use super::{
    Item, Store, StoreError, back_off, from_item,
    keys::refused,
    list::{END, Entry, Listing},
    number,
    tables::{DEAD, DUE, Index},
    text, to_item,
};
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementError, BatchStatementErrorCodeEnum, BatchStatementRequest,
    ReturnValuesOnConditionCheckFailure,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use models::{
    DeliveryId, DeliveryState, EventId, StoredDelivery, StoredEvent, Timestamp,
    delivery::{DeliveryKey, VERSION, dead_key, due_key, shards},
};

/// How many statements DynamoDB takes at once.
const BATCH: usize = 25;
const CONCURRENCY: usize = 8;
/// How often a write is tried that the store can't take, or that meets another.
const ATTEMPTS: u32 = 5;
/// What sorts before every sort key of ours.
const BEGINNING: &str = "0";

impl Store {
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<StoredDelivery>, StoreError> {
        let get = self.client.get_item().table_name(&self.tables.deliveries).consistent_read(true);
        let got = get.key("pk", text(id.event())).key("sk", text(id.as_str())).send().await?;
        got.item.map(stored_delivery).transpose()
    }

    /// All deliveries of an event.
    pub async fn deliveries_of(&self, event: &EventId) -> Result<Vec<StoredDelivery>, StoreError> {
        let (mut walk, mut deliveries) = (self.walk_event(event, None), Vec::new());
        while let Some(items) = walk.next(1, |_| true).await? {
            for item in items {
                deliveries.push(stored_delivery(item)?);
            }
        }
        Ok(deliveries)
    }

    /// Stores deliveries, save those that are there already. Answers for each whether it was stored now.
    pub async fn create_deliveries(&self, deliveries: &[StoredDelivery]) -> Result<Vec<bool>, StoreError> {
        let mut batches = Vec::new();
        for batch in deliveries.chunks(BATCH) {
            let items = batch.iter().map(to_item).collect::<Result<Vec<_>, _>>()?;
            batches.push(self.insert(items));
        }
        Ok(stream::iter(batches).buffered(CONCURRENCY).try_collect::<Vec<_>>().await?.concat())
    }

    /// Inserts items that are not there yet. Those that the store can't take at once are sent again.
    async fn insert(&self, items: Vec<Item>) -> Result<Vec<bool>, StoreError> {
        let mut stored = vec![false; items.len()];
        let mut left: Vec<usize> = (0..items.len()).collect();
        for attempt in 0..ATTEMPTS {
            let mut request = self.client.batch_execute_statement();
            for at in &left {
                request = request.statements(insertion(&self.tables.deliveries, items[*at].clone())?);
            }
            let answers = request.send().await?.responses.unwrap_or_default();
            if answers.len() != left.len() {
                return Err(StoreError::Unavailable("a batch was answered in part".into()));
            }
            let mut again = Vec::new();
            for (at, answer) in left.into_iter().zip(answers) {
                match inserted(answer.error)? {
                    Some(is_new) => stored[at] = is_new,
                    None => again.push(at),
                }
            }
            if again.is_empty() {
                return Ok(stored);
            }
            left = again;
            back_off(attempt).await;
        }
        Err(StoreError::Unavailable("the store can't take so much at once".into()))
    }

    /// Writes a changed delivery, unless something else has changed it since it was read.
    pub async fn update_delivery(&self, delivery: &mut StoredDelivery, now: Timestamp) -> Result<(), StoreError> {
        let read = change(delivery, now);
        for attempt in 0..ATTEMPTS {
            let put = self.client.put_item().table_name(&self.tables.deliveries).set_item(Some(to_item(delivery)?));
            let put = put
                .condition_expression("#version = :read")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":read", number(read))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match put.send().await.map_err(StoreError::from) {
                Ok(_) => return Ok(()),
                // A write of ours whose answer was lost, sent again by the SDK.
                Err(StoreError::Condition(Some(there))) if stored_delivery(*there.clone())? == *delivery => {
                    return Ok(());
                }
                // It met a transaction, or it is gone.
                Err(StoreError::Condition(None)) => back_off(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Condition(None))
    }

    /// Writes a changed delivery likewise, and with it an event that tells of it.
    pub async fn bury_delivery(
        &self,
        delivery: &mut StoredDelivery,
        now: Timestamp,
        told: &StoredEvent,
    ) -> Result<(), StoreError> {
        let read = change(delivery, now);
        self.change_and_tell(&self.tables.deliveries, to_item(delivery)?, read, told).await
    }

    /// A page of what is due until then in a shard, the longest due first; and where the next page begins.
    pub async fn due(
        &self,
        shard: usize,
        until: Timestamp,
        limit: usize,
        start: Option<Item>,
    ) -> Result<(Vec<Entry>, Option<Item>), StoreError> {
        let queried = self
            .client
            .query()
            .table_name(&self.tables.deliveries)
            .index_name(DUE.name)
            .key_condition_expression("#due = :due AND #at < :until")
            .expression_attribute_names("#due", DUE.key)
            .expression_attribute_names("#at", DUE.sort)
            .expression_attribute_values(":due", text(due_key(shard)))
            .expression_attribute_values(":until", text(format!("{until} {END}")))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await?;
        let due = queried.items.unwrap_or_default().iter().map(|item| Entry::of(item, DUE)).collect();
        Ok((due, queried.last_evaluated_key))
    }

    /// Moves on when a delivery is looked for, unless something else has.
    pub async fn look_later(&self, entry: &Entry, due_at: Timestamp) -> Result<(), StoreError> {
        let rest = entry.sort.split_once(' ').map_or("", |(_, rest)| rest);
        self.client
            .update_item()
            .table_name(&self.tables.deliveries)
            .key("pk", text(&entry.pk))
            .key("sk", text(entry.sk.as_deref().unwrap_or_default()))
            .update_expression("SET #at = :later")
            .condition_expression("#at = :read")
            .expression_attribute_names("#at", DUE.sort)
            .expression_attribute_values(":later", text(format!("{due_at} {rest}")))
            .expression_attribute_values(":read", text(&entry.sort))
            .send()
            .await?;
        Ok(())
    }

    /// Has a pending delivery looked for then that was not looked for so far. That is no change of the delivery: what is
    /// under way with it goes on.
    pub async fn look_for(&self, delivery: &DeliveryKey, due_at: Timestamp) -> Result<(), StoreError> {
        let looked_for = self
            .client
            .update_item()
            .table_name(&self.tables.deliveries)
            .key("pk", text(delivery.id.event()))
            .key("sk", text(delivery.id.as_str()))
            .update_expression("SET #due = :due, #at = :at")
            .condition_expression("#state = :pending AND attribute_not_exists(#due)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#due", DUE.key)
            .expression_attribute_names("#at", DUE.sort)
            .expression_attribute_values(":pending", text(DeliveryState::Pending.as_str()))
            .expression_attribute_values(":due", text(due_key(delivery.id.shard())))
            .expression_attribute_values(":at", text(delivery.due_at(due_at)))
            .send()
            .await
            .map_err(StoreError::from);
        match looked_for {
            Ok(_) | Err(StoreError::Condition(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The dead letters.
    pub fn dead_letters(&self, position: Option<String>) -> Listing<'_> {
        self.listed(DEAD, shards(dead_key), DeliveryId::PREFIX, position)
    }

    /// What is pending, by when it is looked for, the latest first.
    pub fn pending_deliveries(&self, position: Option<String>) -> Listing<'_> {
        self.listed(DUE, shards(due_key), BEGINNING, position)
    }

    fn listed(&self, index: Index, shards: Vec<String>, from: &str, position: Option<String>) -> Listing<'_> {
        let until = position.unwrap_or_else(|| END.to_owned());
        Listing { table: &self.tables.deliveries, index, shards, from: from.to_owned(), until }
    }
}

/// Whether an item was inserted, or was there already; none if it may be inserted a little later.
fn inserted(error: Option<BatchStatementError>) -> Result<Option<bool>, StoreError> {
    use BatchStatementErrorCodeEnum as Code;
    let Some(error) = error else { return Ok(Some(true)) };
    match error.code {
        Some(Code::DuplicateItem) => Ok(Some(false)),
        Some(Code::ValidationError) => Err(StoreError::Refused(error.message.unwrap_or_default().into())),
        Some(
            Code::InternalServerError
            | Code::ProvisionedThroughputExceeded
            | Code::RequestLimitExceeded
            | Code::ThrottlingError
            | Code::TransactionConflict,
        ) => Ok(None),
        _ => Err(StoreError::Unavailable(format!("{error:?}").into())),
    }
}

/// Counts a change; the version before.
const fn change(delivery: &mut StoredDelivery, now: Timestamp) -> u64 {
    let read = delivery.version;
    (delivery.version, delivery.updated_at) = (read + 1, now);
    read
}

/// A stored item as a delivery.
pub fn stored_delivery(item: Item) -> Result<StoredDelivery, StoreError> {
    let delivery: StoredDelivery = from_item(item)?;
    if delivery.v > VERSION {
        return Err(StoreError::Malformed(format!("the delivery is of version {}", delivery.v).into()));
    }
    Ok(delivery)
}

/// An insertion of an item, which fails if there is one under its key.
fn insertion(table: &str, item: Item) -> Result<BatchStatementRequest, StoreError> {
    let (names, values): (Vec<String>, Vec<AttributeValue>) = item.into_iter().unzip();
    let fields: Vec<String> = names.iter().map(|name| format!("'{name}': ?")).collect();
    let statement = format!("INSERT INTO \"{table}\" VALUE {{{}}}", fields.join(", "));
    BatchStatementRequest::builder().statement(statement).set_parameters(Some(values)).build().map_err(refused)
}
