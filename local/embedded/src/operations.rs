//! Operations in their wire form: a target and a JSON body in, a status and a JSON body out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use dynoxide::DynoxideError;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Database, Inner, statements};

const TARGET_PREFIX: &str = "DynamoDB_20120810.";
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// An answer in [`CONTENT_TYPE`].
pub struct Reply {
    pub status: u16,
    pub body: String,
}

impl Database {
    /// Runs the operation in `X-Amz-Target`. Once started it completes on a blocking thread even if the caller stops
    /// waiting, as over a network. Returns once all that the answer reports is on disk.
    pub async fn answer(&self, target: &str, body: Vec<u8>) -> Reply {
        let operation = target.strip_prefix(TARGET_PREFIX).unwrap_or_default().to_owned();
        let database = self.clone();
        let permits = if is_read(&operation) { &self.0.reads } else { &self.0.writes };
        let permit = Arc::clone(permits).acquire_owned().await;
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let reply = database.answer_operation(&operation, &body);
            (reply, database.last_seen())
        });
        match task.await {
            Ok((reply, write)) => {
                self.synced(write).await;
                reply
            }
            Err(died) => Reply::failure(&DynoxideError::InternalServerError(died.to_string())),
        }
    }

    fn answer_operation(&self, operation: &str, body: &[u8]) -> Reply {
        let Some(result) = self.run(operation, body) else {
            return Reply::refusal(400, "UnknownOperationException", &format!("{operation} is not supported"));
        };
        self.count(operation, body);
        match result {
            Ok(body) => Reply { status: 200, body },
            Err(error) => Reply::failure(&error),
        }
    }

    /// `None` for an operation that Switchboard does not use, including `Scan`.
    fn run(&self, operation: &str, body: &[u8]) -> Option<Result<String, DynoxideError>> {
        let Inner { engine, reader, .. } = &*self.0;
        Some(match operation {
            "BatchExecuteStatement" => self.write(body, |request| statements::execute(engine, request)),
            "BatchGetItem" => call(body, |request| reader.batch_get_item(request)),
            "BatchWriteItem" => self.write(body, |request| engine.batch_write_item(request)),
            "DeleteItem" => self.write(body, |request| engine.delete_item(request)),
            "DescribeTable" => call(body, |request| reader.describe_table(request)),
            "ExecuteStatement" => self.write(body, |request| engine.execute_statement(request)),
            "GetItem" => call(body, |request| reader.get_item(request)),
            "PutItem" => self.write(body, |request| engine.put_item(request)),
            "Query" => call(body, |request| reader.query(request)),
            "TransactGetItems" => call(body, |request| reader.transact_get_items(request)),
            "TransactWriteItems" => self.write(body, |request| engine.transact_write_items(request)),
            "UpdateItem" => self.write(body, |request| engine.update_item(request)),
            _ => return None,
        })
    }

    /// Calls an operation as the only writer. Others parse and format meanwhile.
    fn write<Q: DeserializeOwned, A: Serialize>(
        &self,
        body: &[u8],
        operation: impl FnOnce(Q) -> Result<A, DynoxideError>,
    ) -> Result<String, DynoxideError> {
        call(body, |request| {
            let turn = self.begin_write();
            let answer = operation(request);
            drop(turn);
            // Also after a failure: a batch may have been partly written.
            self.0.written.notify_waiters();
            answer
        })
    }

    fn count(&self, operation: &str, body: &[u8]) {
        let named: Named = serde_json::from_slice(body).unwrap_or_default();
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry((operation.to_owned(), named.joined())).or_default() += 1;
    }
}

fn is_read(operation: &str) -> bool {
    matches!(operation, "BatchGetItem" | "DescribeTable" | "GetItem" | "Query" | "TransactGetItems")
}

fn call<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    operation: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let answer = operation(serde_json::from_slice(body).map_err(malformed)?)?;
    serde_json::to_string(&answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
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
