//! Reads and writes of subscribers and takeovers.

use super::{
    Item, Store, StoreError,
    batch_get::{Key, TableKeys},
    from_item,
    list::Listing,
    number,
    statements::{change, insertion},
    tables::{BY_PERSON, BY_TIME},
    text, text_of, to_item,
};
use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemOutput, builders::UpdateItemFluentBuilder},
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use models::{
    SubscriberId, TakeoverId, TakeoverState, Timestamp,
    event::person_key,
    ids::SHARDS,
    records::{Claimant, RecordKind, StoredSubscriber, StoredTakeover},
};
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// Number of keys that DynamoDB accepts in one request.
const KEYS: usize = 100;

/// Outcome of a change of a takeover's state, with the resulting takeover.
pub enum TakeoverChange {
    Missing,
    Unchanged(StoredTakeover),
    Changed(StoredTakeover),
}

impl Store {
    /// Reads a record by its id.
    pub async fn record<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, StoreError> {
        self.get(&self.tables.records, id).await?.map(from_item).transpose()
    }

    /// A subscriber whose record may be unreadable except for its version, to be replaced by a tombstone.
    pub async fn subscriber_to_erase(&self, id: &SubscriberId) -> Result<Option<StoredSubscriber>, StoreError> {
        let Some(item) = self.get(&self.tables.records, id.as_str()).await? else { return Ok(None) };
        let version = item.get("version").and_then(|version| version.as_n().ok()?.parse().ok()).unwrap_or(0);
        let unreadable = StoredSubscriber { place: None, version, profile: None, erased_at: None, erasing: None };
        let unreadable = StoredSubscriber { profile: Some(String::new()), ..unreadable };
        Ok(Some(from_item(item).unwrap_or(unreadable)))
    }

    /// Writes a subscriber, unless it was changed since it was read.
    pub async fn write_subscriber(&self, id: &SubscriberId, subscriber: &StoredSubscriber) -> Result<(), StoreError> {
        let item = subscriber_item(id, subscriber)?;
        let put = self.client.put_item().table_name(&self.tables.records).set_item(Some(item));
        let put = match subscriber.version {
            1 => put.condition_expression("attribute_not_exists(pk)"),
            version => put
                .condition_expression("#version = :read")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":read", number(version - 1)),
        };
        put.send().await?;
        Ok(())
    }

    /// Stored subscribers by id.
    pub async fn subscribers(
        &self,
        ids: &[SubscriberId],
        is_consistent: bool,
    ) -> Result<HashMap<String, Item>, StoreError> {
        let (table, mut found) = (&self.tables.records, HashMap::new());
        for ids in ids.chunks(KEYS) {
            let keys = ids.iter().map(|id| Key::of(id.as_str())).collect();
            let items = self.get_all_of([TableKeys { table, keys, is_consistent }]).await?.remove(table);
            let items = items.unwrap_or_default();
            found.extend(items.into_iter().map(|item| (text_of(&item, "pk").to_owned(), item)));
        }
        Ok(found)
    }

    /// Writes subscribers like [`Self::write_subscriber`], in few requests. Returns an outcome for each.
    pub async fn write_subscribers(
        &self,
        subscribers: &[(SubscriberId, StoredSubscriber)],
    ) -> Vec<Result<(), StoreError>> {
        let table = &self.tables.records;
        let statement = |(id, subscriber): &(SubscriberId, StoredSubscriber)| {
            let item = subscriber_item(id, subscriber)?;
            match subscriber.version {
                1 => insertion(table, item),
                version => change(table, item, version - 1, &[]),
            }
        };
        self.execute(subscribers.iter().map(statement).collect()).await
    }

    /// Deletes a subscriber, unless it was changed since it was read.
    pub async fn remove_subscriber(&self, id: &SubscriberId, read: &StoredSubscriber) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.tables.records)
            .key("pk", text(id.as_str()))
            .condition_expression("#version = :read")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":read", number(read.version))
            .send()
            .await?;
        Ok(())
    }

    /// Stores a takeover unless it exists: a repetition must not reopen a closed one.
    pub async fn put_takeover(&self, takeover: &StoredTakeover) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.tables.records).set_item(Some(to_item(takeover)?));
        ignore_existing(put.condition_expression("attribute_not_exists(pk)").send().await.map(|_| ()))
    }

    /// Stores takeovers like [`Self::put_takeover`], in few requests. Returns an outcome for each.
    pub async fn put_takeovers(&self, takeovers: &[StoredTakeover]) -> Vec<Result<(), StoreError>> {
        let table = &self.tables.records;
        let insertions = takeovers.iter().map(|takeover| insertion(table, to_item(takeover)?));
        self.execute(insertions.collect()).await.into_iter().map(ignore_existing).collect()
    }

    /// Writes a takeover's fields from a new reading of its event. Its state and claimant stay.
    pub async fn update_takeover_reading(&self, takeover: &StoredTakeover) -> Result<(), StoreError> {
        let Some(kept) = self.record::<StoredTakeover>(&takeover.place.pk).await? else {
            return self.put_takeover(takeover).await;
        };
        let StoredTakeover { state, claimed_by, updated_at, .. } = kept;
        let updated = StoredTakeover { state, claimed_by, updated_at, ..takeover.clone() };
        let put = self.client.put_item().table_name(&self.tables.records).set_item(Some(to_item(&updated)?));
        put.condition_expression("updated_at = :read")
            .expression_attribute_values(":read", text(updated_at.to_string()))
            .send()
            .await?;
        Ok(())
    }

    /// Claims a takeover, unless it is closed or claimed. A claim of a release that did not store claimants can be
    /// replaced.
    pub async fn claim_takeover(
        &self,
        id: &TakeoverId,
        claimant: &Claimant,
        now: Timestamp,
    ) -> Result<TakeoverChange, StoreError> {
        let claim = self
            .takeover_update(id, TakeoverState::Claimed, now)
            .update_expression("SET #state = :state, updated_at = :now, claimed_by = :claimant")
            .condition_expression("#state = :open OR (#state = :state AND attribute_not_exists(claimed_by))")
            .expression_attribute_values(":open", text(TakeoverState::Open.as_str()))
            .expression_attribute_values(":claimant", serde_dynamo::to_attribute_value(claimant)?);
        changed(claim.send().await.map_err(StoreError::from))
    }

    /// Opens or closes a takeover, unless it already has that state.
    pub async fn set_takeover_state(
        &self,
        id: &TakeoverId,
        state: TakeoverState,
        now: Timestamp,
    ) -> Result<TakeoverChange, StoreError> {
        let change = self
            .takeover_update(id, state, now)
            .update_expression("SET #state = :state, updated_at = :now REMOVE claimed_by")
            .condition_expression("attribute_exists(pk) AND #state <> :state");
        changed(change.send().await.map_err(StoreError::from))
    }

    fn takeover_update(&self, id: &TakeoverId, state: TakeoverState, now: Timestamp) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.tables.records)
            .key("pk", text(id.as_str()))
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", text(state.as_str()))
            .expression_attribute_values(":now", text(now.to_string()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    pub async fn remove_takeover(&self, id: &str) -> Result<(), StoreError> {
        self.client.delete_item().table_name(&self.tables.records).key("pk", text(id)).send().await?;
        Ok(())
    }

    /// The records of a kind, in a range of their sort keys.
    pub fn records(&self, kind: RecordKind, from: String, until: String) -> Listing<'_> {
        let shards = (0..SHARDS).map(|shard| kind.list_key(shard)).collect();
        Listing { table: &self.tables.records, index: BY_TIME, shards, from, until }
    }

    /// A person's takeovers, up to an id.
    pub fn takeovers_of(&self, subscriber: &SubscriberId, until: String) -> Listing<'_> {
        let shards = (0..SHARDS).map(|shard| person_key(subscriber, shard)).collect();
        let from = TakeoverId::PREFIX.to_owned();
        Listing { table: &self.tables.records, index: BY_PERSON, shards, from, until }
    }
}

fn subscriber_item(id: &SubscriberId, subscriber: &StoredSubscriber) -> Result<Item, StoreError> {
    let mut item = to_item(subscriber)?;
    item.insert("pk".to_owned(), text(id.as_str()));
    Ok(item)
}

fn changed(updated: Result<UpdateItemOutput, StoreError>) -> Result<TakeoverChange, StoreError> {
    let (item, change): (_, fn(StoredTakeover) -> _) = match updated {
        Ok(updated) => (updated.attributes, TakeoverChange::Changed),
        Err(StoreError::Condition(item)) => (item.map(|item| *item), TakeoverChange::Unchanged),
        Err(error) => return Err(error),
    };
    Ok(item.map(from_item).transpose()?.map_or(TakeoverChange::Missing, change))
}

/// Accepts a failed condition: the item exists already.
fn ignore_existing<E: Into<StoreError>>(written: Result<(), E>) -> Result<(), StoreError> {
    match written.map_err(Into::into) {
        Err(StoreError::Condition(_)) => Ok(()),
        other => other,
    }
}
