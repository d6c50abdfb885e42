//! Botmother: its External Event, as <https://docs.botmother.com/article/42097> describes it, and its API request
//! component, as <https://docs.botmother.com/article/42070> does. All errors are synthetic.

mod component;
mod events;

pub use component::request;

use super::{Seen, Shared, lock};
use axum::http::StatusCode;
use models::Timestamp;
use serde_json::{Value, json};

pub const PREFIX: &str = "/api/bot";
pub const EVENT_ID: &str = "q7Rm-4xK_";
pub const EVENT_TOKEN: &str = "sandbox-token-of-botmother_9fKx2QvL7tRw3ZpY8mNc5HdJ";

/// Limit for an event's body.
const MAX_BODY_BYTES: usize = 1_048_576;

/// State of the simulated platform.
#[derive(Default)]
pub struct World {
    /// Answers events with `result: false`.
    pub refuse_events: bool,
    /// Reports in the answer that the limits are exceeded.
    pub exceed_limits: bool,
    /// Nests `payload` as a list of lists.
    pub nest_payload: bool,
    events: Vec<Value>,
    latest: Timestamp,
}

/// The path of the event's URL.
pub fn event_path() -> String {
    format!("{PREFIX}/action/{EVENT_ID}/{EVENT_TOKEN}")
}

/// The request's path for display, with the token masked.
pub fn masked_path(seen: &Seen) -> String {
    match seen.path.rsplit_once('/') {
        Some((head, EVENT_TOKEN)) => format!("{head}/(the token)"),
        Some((head, _)) => format!("{head}/(not the token)"),
        None => seen.path.clone(),
    }
}

pub fn error(message: &str) -> Value {
    json!({ "result": false, "message": message })
}

pub fn answer(shared: &Shared, seen: &Seen) -> (StatusCode, Value) {
    if seen.method != "POST" || seen.path != event_path() {
        return (StatusCode::NOT_FOUND, error("there is no such event"));
    }
    if seen.body.len() > MAX_BODY_BYTES {
        return (StatusCode::PAYLOAD_TOO_LARGE, error("the body is larger than 1 MB"));
    }
    match lock(&shared.botmother).take(seen) {
        Ok(body) => (StatusCode::OK, body),
        Err(message) => (StatusCode::BAD_REQUEST, error(&message)),
    }
}
