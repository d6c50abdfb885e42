//! Parameters of the methods for events. Fields that the protocol may add are ignored.

use crate::message::{Message, RpcError};
use models::Fault;
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};
use web::{Problem, input};

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeParams {
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Null: without replay there is no position.
    pub cursor: Option<String>,
    /// Wished time to live in milliseconds; null for as long as possible.
    #[serde(default, deserialize_with = "given")]
    pub ttl_ms: Option<Option<u64>>,
    /// Largest age of replayed events. There is no replay.
    #[serde(rename = "maxAgeMs")]
    _max_age_ms: Option<u64>,
    pub delivery: Delivery,
}

#[derive(Deserialize, JsonSchema)]
pub struct Delivery {
    pub mode: String,
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    pub secret: String,
}

#[derive(Deserialize, JsonSchema)]
pub struct UnsubscribeParams {
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    #[serde(default)]
    pub arguments: Map<String, Value>,
    pub delivery: Endpoint,
}

#[derive(Deserialize, JsonSchema)]
pub struct Endpoint {
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The parameters of a message, checked against the schema of their type.
pub fn read<T: DeserializeOwned + JsonSchema>(message: &Message) -> Result<T, RpcError> {
    let mut params = Value::Object(message.params.clone());
    let validator = input::validator(&schema_for!(T))?;
    let faults = validator.faults(&params);
    if !faults.is_empty() {
        return Err(RpcError::faulty_params(&faults));
    }
    validator.normalize(&mut params);
    input::typed(&params).map_err(|problem: Problem| RpcError::faulty_params(&problem.errors))
}

/// Arguments as canonical JSON. Their values are texts, so sorting the names is enough (RFC 8785).
pub fn canonical(arguments: &Map<String, Value>) -> String {
    let mut sorted = arguments.clone();
    sorted.sort_keys();
    Value::Object(sorted).to_string()
}

/// A fault of one parameter.
pub fn fault(pointer: &str, detail: impl ToString) -> RpcError {
    RpcError::faulty_params(&[Fault::new(pointer, detail.to_string())])
}
