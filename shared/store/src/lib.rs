//! The store: DynamoDB, through Gets, Queries and conditional writes, never a Scan.

mod batch_get;
pub mod connections;
pub mod control;
pub mod deliveries;
pub mod delivery_inputs;
mod event_batch;
pub mod events;
pub mod health;
pub mod hooks;
pub mod idempotency;
pub mod keys;
pub mod list;
mod packed_events;
pub mod records;
pub mod references;
pub mod routes;
mod statements;
pub mod subscribers;
pub mod subscriptions;
pub mod tables;
mod transaction;
pub mod walk;

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    types::AttributeValue,
};
use models::{Failure, FailureKind, clock::random, failure::Service};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::HashMap, error::Error, time::Duration};

pub use models::ids::SHARDS;

/// Names of a deployment's tables.
#[derive(Debug, Clone)]
pub struct Tables {
    pub control: String,
    pub events: String,
    pub records: String,
    pub deliveries: String,
}

pub struct Store {
    pub client: Client,
    pub tables: Tables,
}

/// An item of the SDK.
pub type Item = HashMap<String, AttributeValue>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A condition failed because another write came first. Contains the item if it was requested.
    #[error("the condition of a write failed")]
    Condition(Option<Box<Item>>),
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    #[error("the store rejected a request")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    #[error("an item does not have the expected shape")]
    Malformed(#[source] Box<dyn Error + Send + Sync>),
}

impl<E, R> From<SdkError<E, R>> for StoreError
where
    aws_sdk_dynamodb::Error: From<SdkError<E, R>>,
    E: std::fmt::Debug,
    R: std::fmt::Debug,
{
    fn from(error: SdkError<E, R>) -> Self {
        use aws_sdk_dynamodb::Error as Sdk;
        match Sdk::from(error) {
            Sdk::ConditionalCheckFailedException(failed) => Self::Condition(failed.item.map(Box::new)),
            // Two writes conflicted on one item, and the other one won.
            Sdk::TransactionConflictException(_) => Self::Condition(None),
            Sdk::TransactionCanceledException(cancelled)
                if cancelled
                    .cancellation_reasons()
                    .iter()
                    .any(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict"))) =>
            {
                Self::Condition(None)
            }
            // The request itself is at fault. Any other error may be temporary: throttling, a lost connection, a table
            // or a permission that does not exist yet.
            error if error.code() == Some("ValidationException") => Self::Refused(Box::new(error)),
            error => Self::Unavailable(Box::new(error)),
        }
    }
}

impl From<serde_dynamo::Error> for StoreError {
    fn from(error: serde_dynamo::Error) -> Self {
        Self::Malformed(Box::new(error))
    }
}

impl From<models::event::Malformed> for StoreError {
    fn from(error: models::event::Malformed) -> Self {
        Self::Malformed(Box::new(error))
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(Box::new(error))
    }
}

impl Failure for StoreError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Condition(_) => FailureKind::Conflict,
            Self::Unavailable(_) => FailureKind::StoreUnavailable(Service::DynamoDb),
            Self::Refused(_) | Self::Malformed(_) => FailureKind::Internal,
        }
    }
}

/// A request that could not be built.
fn invalid_request(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Refused(Box::new(error))
}

pub fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub fn to_item<T: Serialize>(value: &T) -> Result<Item, StoreError> {
    Ok(serde_dynamo::to_item(value)?)
}

pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    Ok(serde_dynamo::from_item(item)?)
}

/// The text of an attribute, or an empty one.
pub fn text_of<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// Waits for a short random time, longer with each attempt, so that concurrent writers of one item separate.
pub async fn back_off(attempt: u32) {
    let [chance] = random::<1>().unwrap_or_default();
    let most = 5_u64 << attempt.min(6);
    tokio::time::sleep(Duration::from_millis(most * u64::from(chance) / 255)).await;
}

impl Store {
    /// Gets an item by its partition key, with strong consistency.
    pub(crate) async fn get(&self, table: &str, pk: &str) -> Result<Option<Item>, StoreError> {
        let got = self.client.get_item().table_name(table).key("pk", text(pk)).consistent_read(true).send().await?;
        Ok(got.item)
    }
}
