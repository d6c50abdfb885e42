//! Batch reads of items, from one table or several.

use super::{Item, Store, StoreError, back_off, invalid_request, text};
use aws_sdk_dynamodb::types::KeysAndAttributes;
use std::collections::{BTreeSet, HashMap};

/// Retry limit for unprocessed keys. An answer has at most 16 MB, and a throttled table may leave out more.
const ATTEMPTS: u32 = 8;

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub pk: String,
    /// Only for a table with a sort key.
    pub sk: Option<String>,
}

impl Key {
    pub fn of(pk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: None }
    }

    pub fn with(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: Some(sk.into()) }
    }

    fn into_item(self) -> Item {
        let sk = self.sk.map(|sk| ("sk".to_owned(), text(sk)));
        [("pk".to_owned(), text(self.pk))].into_iter().chain(sk).collect()
    }
}

/// Items to read from a table.
pub(super) struct TableKeys<'a> {
    pub table: &'a str,
    pub keys: Vec<Key>,
    /// True for a strongly consistent read. An eventually consistent one costs half as much.
    pub is_consistent: bool,
}

impl Store {
    /// Reads items of a table with strong consistency. Missing ones are left out.
    pub(super) async fn get_all(&self, table: &str, keys: Vec<Key>) -> Result<Vec<Item>, StoreError> {
        let mut items = self.get_all_of([TableKeys { table, keys, is_consistent: true }]).await?;
        Ok(items.remove(table).unwrap_or_default())
    }

    /// Reads items of several tables in one request, at most 100 keys in all.
    pub(super) async fn get_all_of<'a>(
        &self,
        wanted: impl IntoIterator<Item = TableKeys<'a>>,
    ) -> Result<HashMap<String, Vec<Item>>, StoreError> {
        let mut pending = HashMap::new();
        for TableKeys { table, keys, is_consistent } in wanted.into_iter().filter(|wanted| !wanted.keys.is_empty()) {
            // DynamoDB rejects duplicate keys.
            let keys: BTreeSet<Key> = keys.into_iter().collect();
            let keys = keys.into_iter().map(Key::into_item).collect();
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(is_consistent).build();
            pending.insert(table.to_owned(), keys.map_err(invalid_request)?);
        }
        let mut items: HashMap<String, Vec<Item>> = HashMap::new();
        for attempt in 0..ATTEMPTS {
            if pending.is_empty() {
                return Ok(items);
            }
            if attempt > 0 {
                back_off(attempt).await;
            }
            let got = self.client.batch_get_item().set_request_items(Some(pending)).send().await?;
            for (table, got) in got.responses.unwrap_or_default() {
                items.entry(table).or_default().extend(got);
            }
            pending = got.unprocessed_keys.unwrap_or_default();
        }
        if pending.is_empty() {
            Ok(items)
        } else {
            Err(StoreError::Unavailable("the store left keys of a batch unprocessed".into()))
        }
    }
}
