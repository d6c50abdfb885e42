//! Operations in their wire form: a target and a JSON body in, a status and a JSON body out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use dynoxide::{Database as Engine, DynoxideError};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Database, Error, statements};

const TARGET_PREFIX: &str = "DynamoDB_20120810.";
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// An answer in [`CONTENT_TYPE`].
pub struct Reply {
    pub status: u16,
    pub body: String,
}

impl Database {
    /// Runs the operation in `X-Amz-Target`. Once begun it completes even if the caller stops waiting, as over a network.
    /// Returns once all that the answer reports is on disk.
    pub async fn answer(&self, target: &str, body: Vec<u8>) -> Reply {
        let operation = target.strip_prefix(TARGET_PREFIX).unwrap_or_default();
        let Some(result) = self.run(operation, &body).await else {
            return Reply::refusal(400, "UnknownOperationException", &format!("{operation} is not supported"));
        };
        self.count(operation, &body);
        match result {
            Ok(body) => Reply { status: 200, body },
            Err(error) => Reply::failure(&error),
        }
    }

    /// `None` for an operation that Switchboard does not use, including `Scan`.
    async fn run(&self, operation: &str, body: &[u8]) -> Option<Result<String, DynoxideError>> {
        Some(match operation {
            "BatchExecuteStatement" => self.change(body, statements::execute).await,
            "BatchGetItem" => self.find(body, Engine::batch_get_item).await,
            "BatchWriteItem" => self.change(body, Engine::batch_write_item).await,
            "DeleteItem" => self.change(body, Engine::delete_item).await,
            "DescribeTable" => self.find(body, Engine::describe_table).await,
            "ExecuteStatement" => self.change(body, Engine::execute_statement).await,
            "GetItem" => self.find(body, Engine::get_item).await,
            "PutItem" => self.change(body, Engine::put_item).await,
            "Query" => self.find(body, Engine::query).await,
            "TransactGetItems" => self.find(body, Engine::transact_get_items).await,
            "TransactWriteItems" => self.change(body, Engine::transact_write_items).await,
            "UpdateItem" => self.change(body, Engine::update_item).await,
            _ => return None,
        })
    }

    /// Bodies are parsed and formatted here, while other operations run.
    async fn change<Q: DeserializeOwned + Send + 'static, A: Serialize + Send + 'static>(
        &self,
        body: &[u8],
        operation: fn(&Engine, Q) -> Result<A, DynoxideError>,
    ) -> Result<String, DynoxideError> {
        let request = parse(body)?;
        format(self.write_items(move |engine| operation(engine, request)).await)
    }

    async fn find<Q: DeserializeOwned + Send + 'static, A: Serialize + Send + 'static>(
        &self,
        body: &[u8],
        operation: fn(&Engine, Q) -> Result<A, DynoxideError>,
    ) -> Result<String, DynoxideError> {
        let request = parse(body)?;
        format(self.read(move |engine| operation(engine, request)).await)
    }

    fn count(&self, operation: &str, body: &[u8]) {
        let named: Named = serde_json::from_slice(body).unwrap_or_default();
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry((operation.to_owned(), named.joined())).or_default() += 1;
    }
}

fn parse<Q: DeserializeOwned>(body: &[u8]) -> Result<Q, DynoxideError> {
    serde_json::from_slice(body).map_err(malformed)
}

fn format<A: Serialize>(answer: Result<Result<A, DynoxideError>, Error>) -> Result<String, DynoxideError> {
    let internal = |error: &dyn std::error::Error| DynoxideError::InternalServerError(error.to_string());
    let answer = answer.map_err(|error| internal(&error))??;
    serde_json::to_string(&answer).map_err(|error| internal(&error))
}

/// The engine's types mark the exception for a bad value in the message, as in `VALIDATION:text`.
pub(crate) fn malformed(error: serde_json::Error) -> DynoxideError {
    let message = error.to_string();
    match message.split_once(':') {
        Some(("VALIDATION" | "VALIDATION_REQUEST" | "VALIDATION_AS_READ", text)) => {
            DynoxideError::ValidationException(text.to_owned())
        }
        Some(("SERIALIZATION" | "SERIALIZATION_AS_READ", text)) => {
            DynoxideError::SerializationException(text.to_owned())
        }
        _ => DynoxideError::SerializationException(message),
    }
}

impl Reply {
    /// The engine words its errors in the form that the SDK parses: the old item of a failed condition, the reasons of
    /// a cancelled transaction.
    fn failure(error: &DynoxideError) -> Self {
        Self { status: error.status_code(), body: error.to_json() }
    }

    pub(crate) fn refusal(status: u16, kind: &str, message: &str) -> Self {
        let kind = format!("com.amazon.coral.service#{kind}");
        Self { status, body: json!({ "__type": kind, "message": message }).to_string() }
    }
}

/// The tables in a request: its own, the keys of a batch, or those in the actions of a transaction.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Named {
    table_name: Option<String>,
    request_items: BTreeMap<String, IgnoredAny>,
    transact_items: Vec<BTreeMap<String, Named>>,
}

impl Named {
    fn joined(self) -> String {
        let of_actions = self.transact_items.into_iter().flat_map(BTreeMap::into_values);
        let names: BTreeSet<_> = (self.table_name.into_iter())
            .chain(self.request_items.into_keys())
            .chain(of_actions.filter_map(|action| action.table_name))
            .collect();
        Vec::from_iter(names).join("+")
    }
}
