//! Partial batch responses for Lambda's event sources.

use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl BatchResponse {
    /// Reports these as failed, so that Lambda delivers them again: sequence numbers of stream records, or ids of
    /// messages.
    pub fn again(identifiers: impl IntoIterator<Item = String>) -> Self {
        let failures = identifiers.into_iter().map(|item_identifier| Failure { item_identifier });
        Self { batch_item_failures: failures.collect() }
    }

    pub fn failed(&self) -> usize {
        self.batch_item_failures.len()
    }
}
