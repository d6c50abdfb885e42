//! BotDistrikt's Website Chat API, as <https://docs.botdistrikt.com/messaging-channels/webchat-api> describes it. All
//! errors are synthetic, in the shape that LoopBack 3 gives an error.

mod users;
mod webhook;

pub use webhook::say;

use super::{Seen, Shared, calls, lock, next};
use axum::http::{StatusCode, header};
use models::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use users::Registration;

pub const PREFIX: &str = "/botdistrikt/api";
pub const WEBCHAT_APP_ID: u64 = 4711;
pub const DOMAIN: &str = "sandbox-chat-q7v2mz9x4ktd8hw3rj6yb5nf.invalid";

type Outcome = Result<Value, Refusal>;

/// Reason for the refusal of a request.
struct Refusal {
    status: StatusCode,
    message: String,
}

fn refusal(status: StatusCode, message: impl Into<String>) -> Refusal {
    Refusal { status, message: message.into() }
}

fn unauthorized(message: &str) -> Refusal {
    refusal(StatusCode::UNAUTHORIZED, message)
}

fn unprocessable(message: impl Into<String>) -> Refusal {
    refusal(StatusCode::UNPROCESSABLE_ENTITY, message)
}

/// State of the simulated platform.
#[derive(Default)]
pub struct World {
    /// Answer to every message, in place of the default.
    pub answer: Option<Value>,
    registrations: Vec<Registration>,
    messages: Vec<Value>,
    /// The address of the Event Webhook.
    webhook: Option<String>,
    latest: Timestamp,
}

impl World {
    pub fn set_webhook(&mut self, url: &str) -> Result<(), String> {
        calls::check(url)?;
        self.webhook = Some(url.to_owned());
        Ok(())
    }

    /// Time of an event that happens now. Each time is unique.
    fn now(&mut self) -> Timestamp {
        self.latest = next(self.latest);
        self.latest
    }
}

pub fn error(status: StatusCode, message: &str) -> Value {
    json!({ "error": { "statusCode": status.as_u16(), "name": "Error", "message": message } })
}

pub fn answer(shared: &Shared, seen: &Seen) -> (StatusCode, Value) {
    match route(shared, seen) {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => (refusal.status, error(refusal.status, &refusal.message)),
    }
}

fn route(shared: &Shared, seen: &Seen) -> Outcome {
    let path: Vec<&str> = seen.path.trim_start_matches('/').split('/').collect();
    let ("POST", ["webchat_apps", app, call @ ("user" | "message")]) = (seen.method.as_str(), path.as_slice()) else {
        return Err(refusal(
            StatusCode::NOT_FOUND,
            format!("there is no method to handle {} {}", seen.method, seen.path),
        ));
    };
    if app.parse() != Ok(WEBCHAT_APP_ID) {
        return Err(refusal(StatusCode::NOT_FOUND, "there is no such webchat app"));
    }
    let mut fields = fields(seen)?;
    if fields.shift_remove("domain").as_ref().and_then(Value::as_str) != Some(DOMAIN) {
        return Err(unauthorized("domain: must be that of the webchat app"));
    }
    let mut world = lock(&shared.botdistrikt);
    match *call {
        "user" => Ok(world.register(read(fields)?)),
        _ => world.hear(seen.authorization(), read(fields)?),
    }
}

/// The `domain` of a request, if it has one.
pub fn domain(seen: &Seen) -> Option<String> {
    fields(seen).ok()?.get("domain")?.as_str().map(str::to_owned)
}

/// The request's body for display, with the domain masked.
pub fn masked_body(seen: &Seen) -> String {
    match domain(seen).as_deref() {
        None | Some("") => seen.body.clone(),
        Some(DOMAIN) => seen.body.replace(DOMAIN, "(the domain)"),
        Some(other) => seen.body.replace(other, "(not the domain)"),
    }
}

/// Fields of a JSON body, or of a form without nesting.
fn fields(seen: &Seen) -> Result<Map<String, Value>, Refusal> {
    let kind = seen.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        let pairs = form_urlencoded::parse(seen.body.as_bytes());
        return Ok(pairs.map(|(name, value)| (name.into_owned(), value.into())).collect());
    }
    match serde_json::from_str(&seen.body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(unprocessable("the body: must be an object")),
        Err(error) => Err(refusal(StatusCode::BAD_REQUEST, format!("the body: {error}"))),
    }
}

fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(fields.into()).map_err(|error| unprocessable(format!("the body: {error}")))
}
