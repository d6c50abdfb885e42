//! Tables as in the template for AWS: string keys, on-demand, sparse keys-only indexes.

use dynoxide::DynoxideError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Database, Error, Inner, clustered::cluster, first_start::FirstStart, operations::malformed};

/// A table with string keys, billed per request, whose stream has both images.
#[derive(Clone, Debug)]
pub struct TableSpec {
    pub name: String,
    pub key: &'static str,
    pub sort: Option<&'static str>,
    pub indexes: Vec<IndexSpec>,
    /// The attribute with an item's expiry in seconds.
    pub ttl: Option<&'static str>,
    pub stream: bool,
    /// True for items of up to 1 KB that are often rewritten: they are stored in the order of their keys.
    pub is_clustered: bool,
}

/// A global keys-only index.
#[derive(Clone, Debug)]
pub struct IndexSpec {
    pub name: &'static str,
    pub key: &'static str,
    pub sort: Option<&'static str>,
}

impl Database {
    /// Creates missing tables. Existing ones stay unchanged even if they differ from their specification. Blocks, and must
    /// be called while nothing else is written.
    pub fn create_tables(&self, tables: &[TableSpec]) -> Result<(), Error> {
        self.0.count_write(|inner| tables.iter().try_for_each(|table| inner.create_table(table)))?;
        Ok(self.0.first_start.as_ref().map_or(Ok(()), FirstStart::end)?)
    }
}

impl Inner {
    fn create_table(&self, table: &TableSpec) -> Result<(), Error> {
        if self.engine.get_table_metadata(&table.name)?.is_some() {
            return Ok(());
        }
        self.engine.create_table(request(table.creation())?)?;
        if table.is_clustered {
            cluster(&mut self.second_connection.lock(), &table.name)?;
        }
        Ok(())
    }
}

impl TableSpec {
    fn creation(&self) -> Value {
        let mut creation = json!({
            "TableName": self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": self.key_attributes().iter()
                .map(|name| json!({ "AttributeName": name, "AttributeType": "S" }))
                .collect::<Vec<_>>(),
            "KeySchema": key_schema(self.key, self.sort),
            "StreamSpecification": { "StreamEnabled": self.stream },
        });
        if self.stream {
            creation["StreamSpecification"]["StreamViewType"] = json!("NEW_AND_OLD_IMAGES");
        }
        if !self.indexes.is_empty() {
            creation["GlobalSecondaryIndexes"] = self.indexes.iter().map(IndexSpec::creation).collect();
        }
        creation
    }

    /// Each attribute once, because indexes may share the table's keys.
    fn key_attributes(&self) -> Vec<&'static str> {
        let of_indexes = self.indexes.iter().flat_map(|index| [Some(index.key), index.sort]);
        let mut names: Vec<_> = [Some(self.key), self.sort].into_iter().chain(of_indexes).flatten().collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl IndexSpec {
    fn creation(&self) -> Value {
        json!({
            "IndexName": self.name,
            "KeySchema": key_schema(self.key, self.sort),
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        })
    }
}

fn key_schema(key: &str, sort: Option<&str>) -> Value {
    let element = |name, kind| json!({ "AttributeName": name, "KeyType": kind });
    [Some(element(key, "HASH")), sort.map(|name| element(name, "RANGE"))].into_iter().flatten().collect()
}

pub(crate) fn request<T: DeserializeOwned>(body: Value) -> Result<T, DynoxideError> {
    serde_json::from_value(body).map_err(malformed)
}
