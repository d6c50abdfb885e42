//! Reads and writes of deliveries.

use super::{
    Item, Store, StoreError, back_off,
    batch_get::Key,
    from_item,
    list::{Entry, HIGHEST_SORT_KEY, Listing},
    number,
    statements::{Statement, change, insertion},
    tables::{DEAD, DUE, Index},
    text, to_item,
};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use models::{
    DeliveryId, EventId, StoredDelivery, StoredEvent, Timestamp,
    delivery::{REMOVABLE, VERSION, dead_key, due_key, shards},
};

/// Retry limit for conflicts with a transaction.
const ATTEMPTS: u32 = 5;
/// Sorts before every sort key.
const LOWEST_SORT_KEY: &str = "0";

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

    /// Stores new deliveries. Existing ones stay unchanged. Returns for each whether it was stored now.
    pub async fn create_deliveries(
        &self,
        deliveries: &mut [StoredDelivery],
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        let new = |table: &str, item, _| insertion(table, item);
        self.write_each(deliveries, now, new).await.into_iter().collect()
    }

    /// Writes deliveries, each on its own: a changed one, unless it was changed since it was read; a new one, unless it
    /// exists. Returns for each whether it was written.
    pub async fn write_deliveries(
        &self,
        deliveries: &mut [StoredDelivery],
        now: Timestamp,
    ) -> Vec<Result<bool, StoreError>> {
        let new_or_changed = |table: &str, item, read| match read {
            0 => insertion(table, item),
            read => change(table, item, read, &REMOVABLE),
        };
        self.write_each(deliveries, now, new_or_changed).await
    }

    /// Writes deliveries by statements, which are made of the table, the item and the version that was read.
    async fn write_each(
        &self,
        deliveries: &mut [StoredDelivery],
        now: Timestamp,
        statement: impl Fn(&str, Item, u64) -> Statement,
    ) -> Vec<Result<bool, StoreError>> {
        let statement = |delivery: &mut StoredDelivery| {
            let read = delivery.bump_version(now);
            statement(&self.tables.deliveries, to_item(delivery)?, read)
        };
        let written = self.execute(deliveries.iter_mut().map(statement).collect()).await;
        let is_written = |written| match written {
            Ok(()) => Ok(true),
            Err(StoreError::Condition(_)) => Ok(false),
            Err(error) => Err(error),
        };
        written.into_iter().map(is_written).collect()
    }

    /// True if the delivery is stored as it is here.
    pub async fn is_stored(&self, delivery: &StoredDelivery) -> Result<bool, StoreError> {
        let key = Key::with(delivery.event.as_str(), delivery.id.as_str());
        let stored = self.get_all(&self.tables.deliveries, vec![key]).await?;
        let stored = stored.into_iter().map(stored_delivery).collect::<Result<Vec<_>, _>>()?;
        Ok(stored.iter().any(|stored| stored == delivery))
    }

    /// Writes a delivery: a changed one, unless it was changed since it was read; a new one, unless it exists.
    pub async fn update_delivery(&self, delivery: &mut StoredDelivery, now: Timestamp) -> Result<(), StoreError> {
        let read = delivery.bump_version(now);
        for attempt in 0..ATTEMPTS {
            let put = self.client.put_item().table_name(&self.tables.deliveries).set_item(Some(to_item(delivery)?));
            let put = match read {
                0 => put.condition_expression("attribute_not_exists(pk)"),
                read => put
                    .condition_expression("#version = :read")
                    .expression_attribute_names("#version", "version")
                    .expression_attribute_values(":read", number(read)),
            };
            let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match put.send().await.map_err(StoreError::from) {
                Ok(_) => return Ok(()),
                // A retry by the SDK, after the answer to the first try was lost.
                Err(StoreError::Condition(Some(there))) if stored_delivery(*there.clone())? == *delivery => {
                    return Ok(());
                }
                // It conflicted with a transaction, or the delivery no longer exists.
                Err(StoreError::Condition(None)) => back_off(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Condition(None))
    }

    /// Writes a changed delivery on the same condition, together with an event about it.
    pub async fn put_dead_letter(
        &self,
        delivery: &mut StoredDelivery,
        now: Timestamp,
        event: &StoredEvent,
    ) -> Result<(), StoreError> {
        let read = delivery.bump_version(now);
        self.write_with_event(&self.tables.deliveries, to_item(delivery)?, read, event).await
    }

    /// A page of a shard's deliveries that are due by `until`, the most overdue first, and the start of the next page.
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
            .expression_attribute_values(":until", text(format!("{until} {HIGHEST_SORT_KEY}")))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await?;
        let due = queried.items.unwrap_or_default().iter().map(|item| Entry::of(item, DUE)).collect();
        Ok((due, queried.last_evaluated_key))
    }

    /// Moves a delivery on in the index of due deliveries, unless it was changed.
    pub async fn postpone_check(&self, entry: &Entry, due_at: Timestamp) -> Result<(), StoreError> {
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

    /// All dead letters.
    pub fn dead_letters(&self, position: Option<String>) -> Listing<'_> {
        self.listed(DEAD, shards(dead_key), DeliveryId::PREFIX, position)
    }

    /// Pending deliveries by their next check, latest first.
    pub fn pending_deliveries(&self, position: Option<String>) -> Listing<'_> {
        self.listed(DUE, shards(due_key), LOWEST_SORT_KEY, position)
    }

    fn listed(&self, index: Index, shards: Vec<String>, from: &str, position: Option<String>) -> Listing<'_> {
        let until = position.unwrap_or_else(|| HIGHEST_SORT_KEY.to_owned());
        Listing { table: &self.tables.deliveries, index, shards, from: from.to_owned(), until }
    }
}

/// Parses a stored item as a delivery.
pub fn stored_delivery(item: Item) -> Result<StoredDelivery, StoreError> {
    let delivery: StoredDelivery = from_item(item)?;
    if delivery.v > VERSION {
        return Err(StoreError::Malformed(
            format!("the delivery has version {}, which this release does not support", delivery.v).into(),
        ));
    }
    Ok(delivery)
}
