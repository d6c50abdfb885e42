//! Deliveries.

use super::{
    Item, Store, StoreError, from_item,
    keys::refused,
    list::{END, Listing},
    number,
    tables::{BY_EVENT, BY_TIME, DEAD, DUE},
    text, text_of, to_item,
};
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementError, BatchStatementErrorCodeEnum, BatchStatementRequest, Put,
    ReturnValuesOnConditionCheckFailure,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use models::{
    DeliveryId, EventId, StoredDelivery, StoredEvent, Timestamp,
    delivery::{VERSION, dead_key, due_key, list_key, shards},
};

/// How many statements DynamoDB takes at once.
const BATCH: usize = 25;
const CONCURRENCY: usize = 8;
/// What sorts before every sort key of ours.
const BEGINNING: &str = "0";

/// A delivery that is due, as the index has it.
#[derive(Debug, Clone)]
pub struct DueEntry {
    pub pk: String,
    pub due_at: String,
}

impl Store {
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<StoredDelivery>, StoreError> {
        self.get(&self.tables.deliveries, id.as_str()).await?.map(stored_delivery).transpose()
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

    async fn insert(&self, items: Vec<Item>) -> Result<Vec<bool>, StoreError> {
        let (count, mut request) = (items.len(), self.client.batch_execute_statement());
        for item in items {
            request = request.statements(insertion(&self.tables.deliveries, item)?);
        }
        let answers = request.send().await?.responses.unwrap_or_default();
        if answers.len() != count {
            return Err(StoreError::Unavailable("a batch was answered in part".into()));
        }
        answers.into_iter().map(|answer| is_stored(answer.error)).collect()
    }

    /// Writes a changed delivery, unless something else has changed it since it was read.
    pub async fn update_delivery(&self, delivery: &mut StoredDelivery, now: Timestamp) -> Result<(), StoreError> {
        let read = change(delivery, now);
        let put = self.client.put_item().table_name(&self.tables.deliveries).set_item(Some(to_item(delivery)?));
        let put = put
            .condition_expression("#version = :read")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":read", number(read))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await.map_err(StoreError::from) {
            Ok(_) => Ok(()),
            // A write of ours whose answer was lost, sent again by the SDK.
            Err(StoreError::Condition(Some(there))) if stored_delivery(*there.clone())? == *delivery => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes a changed delivery likewise, and with it an event that tells of it.
    pub async fn bury_delivery(
        &self,
        delivery: &mut StoredDelivery,
        now: Timestamp,
        told: &StoredEvent,
    ) -> Result<(), StoreError> {
        let read = change(delivery, now);
        let put = Put::builder().table_name(&self.tables.deliveries).set_item(Some(to_item(delivery)?));
        let put = put
            .condition_expression("#version = :read")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":read", number(read));
        self.write_and_tell(put, told).await
    }

    /// A page of what is due until then in a shard, the longest due first; and where the next page begins.
    pub async fn due(
        &self,
        shard: usize,
        until: Timestamp,
        limit: usize,
        start: Option<Item>,
    ) -> Result<(Vec<DueEntry>, Option<Item>), StoreError> {
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
        let entry =
            |item: Item| DueEntry { pk: text_of(&item, "pk").to_owned(), due_at: text_of(&item, DUE.sort).to_owned() };
        Ok((queried.items.unwrap_or_default().into_iter().map(entry).collect(), queried.last_evaluated_key))
    }

    /// Moves on when a delivery is looked for, unless something else has.
    pub async fn look_later(&self, entry: &DueEntry, due_at: Timestamp) -> Result<(), StoreError> {
        let rest = entry.due_at.split_once(' ').map_or("", |(_, rest)| rest);
        self.client
            .update_item()
            .table_name(&self.tables.deliveries)
            .key("pk", text(&entry.pk))
            .update_expression("SET #at = :later")
            .condition_expression("#at = :read")
            .expression_attribute_names("#at", DUE.sort)
            .expression_attribute_values(":later", text(format!("{due_at} {rest}")))
            .expression_attribute_values(":read", text(&entry.due_at))
            .send()
            .await?;
        Ok(())
    }

    /// All deliveries, up to a position.
    pub fn deliveries(&self, position: Option<String>) -> Listing<'_> {
        let until = position.unwrap_or_else(|| END.to_owned());
        let from = DeliveryId::PREFIX.to_owned();
        Listing { table: &self.tables.deliveries, index: BY_TIME, shards: shards(list_key), from, until }
    }

    /// The deliveries of an event.
    pub fn deliveries_of(&self, event: &EventId, position: Option<String>) -> Listing<'_> {
        let until = position.unwrap_or_else(|| END.to_owned());
        let from = DeliveryId::PREFIX.to_owned();
        Listing { table: &self.tables.deliveries, index: BY_EVENT, shards: vec![event.to_string()], from, until }
    }

    /// The dead letters.
    pub fn dead_letters(&self, position: Option<String>) -> Listing<'_> {
        let until = position.unwrap_or_else(|| END.to_owned());
        let from = DeliveryId::PREFIX.to_owned();
        Listing { table: &self.tables.deliveries, index: DEAD, shards: shards(dead_key), from, until }
    }

    /// What is pending, by when it is looked for, the latest first.
    pub fn pending_deliveries(&self, position: Option<String>) -> Listing<'_> {
        let until = position.unwrap_or_else(|| END.to_owned());
        let from = BEGINNING.to_owned();
        Listing { table: &self.tables.deliveries, index: DUE, shards: shards(due_key), from, until }
    }
}

/// What came of an insertion.
fn is_stored(error: Option<BatchStatementError>) -> Result<bool, StoreError> {
    let Some(error) = error else { return Ok(true) };
    match error.code {
        Some(BatchStatementErrorCodeEnum::DuplicateItem) => Ok(false),
        Some(BatchStatementErrorCodeEnum::ValidationError) => {
            Err(StoreError::Refused(error.message.unwrap_or_default().into()))
        }
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
