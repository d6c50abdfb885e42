//! ChatBot's API, as <https://www.chatbot.com/docs/> and the legacy pages for stories and webhooks describe it.

mod chats;
mod segments;
mod stories;
mod users;
mod webhooks;

pub use chats::say;

use super::{Seen, Shared, chance, given, lock, next};
use axum::http::StatusCode;
use models::{
    Timestamp,
    clock::{Clock as _, SystemClock},
};
use segments::Segment;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stories::Story;
use users::User;
use webhooks::Webhook;

pub const PREFIX: &str = "/chatbot";
pub const TOKEN: &str = "sandbox-token-of-chatbot-0123456789";

type Outcome = Result<Value, Refusal>;

/// Reason for the refusal of a request.
struct Refusal {
    status: StatusCode,
    message: String,
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, message: message.into() }
}

fn missing(what: &str) -> Refusal {
    Refusal { status: StatusCode::NOT_FOUND, message: format!("no such {what}") }
}

/// State of the simulated platform.
pub struct World {
    /// Answers `POST /users` with an object in place of the documented array.
    pub create_answers_object: bool,
    users: Vec<User>,
    segments: Vec<Segment>,
    stories: Vec<Story>,
    webhooks: Vec<Webhook>,
    made: u32,
    latest: Timestamp,
}

impl World {
    pub fn seeded() -> Self {
        let mut world = Self {
            create_answers_object: false,
            users: Vec::new(),
            segments: Vec::new(),
            stories: Vec::new(),
            webhooks: Vec::new(),
            made: 0,
            latest: Timestamp::from_millis(1_767_225_600_163),
        };
        world.seed_segments();
        world.seed_stories();
        world.seed_known_users();
        world
    }

    /// An id of 24 hexadecimal digits.
    fn id(&mut self) -> String {
        self.made += 1;
        format!("5b7ff84c{:016x}", self.made)
    }

    /// Creation time of an object made now. Each time is unique.
    fn now(&mut self) -> Timestamp {
        self.latest = next(self.latest);
        self.latest
    }

    /// Creation time of the next seeded object: the same in every run.
    fn seeded_at(&mut self) -> Timestamp {
        self.latest = self.latest.plus_seconds(1);
        self.latest
    }
}

/// Timestamp in ChatBot's format, with a space in place of RFC 3339's `T`.
fn date(timestamp: Timestamp) -> String {
    timestamp.to_string().replace('T', " ")
}

fn uuid(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

fn envelope(status: StatusCode, kind: &str) -> Value {
    json!({ "timestamp": date(SystemClock.now()), "status": { "code": status.as_u16(), "type": kind } })
}

fn done() -> Value {
    envelope(StatusCode::OK, "success")
}

fn made(id: &str) -> Value {
    let mut envelope = done();
    envelope["id"] = id.into();
    envelope
}

/// Error envelope. Its keys except `code` and `type` are synthetic, and so is the value of `type`.
pub fn error(status: StatusCode, message: &str) -> Value {
    let mut envelope = envelope(status, "error");
    envelope["status"]["message"] = message.into();
    envelope
}

pub fn authorized(seen: &Seen) -> bool {
    seen.authorization().and_then(|value| value.strip_prefix("Bearer ")) == Some(TOKEN)
}

pub async fn answer(shared: &Shared, seen: &Seen) -> (StatusCode, Value) {
    if !authorized(seen) {
        let message = "the developer access token is missing or wrong";
        return (StatusCode::UNAUTHORIZED, error(StatusCode::UNAUTHORIZED, message));
    }
    match route(shared, seen).await {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => (refusal.status, error(refusal.status, &refusal.message)),
    }
}

async fn route(shared: &Shared, seen: &Seen) -> Outcome {
    let path: Vec<&str> = seen.path.trim_start_matches('/').split('/').collect();
    let call = (seen.method.as_str(), path.as_slice());
    if call == ("POST", &["webhooks"]) {
        return webhooks::create(shared, seen).await;
    }
    let mut world = lock(&shared.chatbot);
    match call {
        ("GET", ["users"]) => world.list_users(&seen.query),
        ("POST", ["users"]) => world.create_user(fields(seen)?),
        ("GET", ["users", "segments"]) => Ok(world.list_segments()),
        ("POST", ["users", "segments"]) => world.create_segment(fields(seen)?),
        ("POST", ["users", "segments", "members"]) => world.add_members(fields(seen)?),
        ("GET", ["users", id]) => Ok(world.user(id)?.alone()),
        ("PUT", ["users", id]) => world.change_user(id, fields(seen)?),
        ("PUT", ["users", id, "ban"]) => world.ban_user(id, fields(seen)?),
        ("POST", ["users", id, "segments"]) => world.add_segments(id, body(seen)?),
        ("PUT", ["users", id, "segments"]) => world.replace_segments(id, body(seen)?),
        ("GET", ["v2", "stories"]) => Ok(world.list_stories()),
        ("GET", ["v2", "stories", id]) => Ok(world.story(id)?.full()),
        ("GET", ["stories"]) => Ok(world.list_legacy_stories()),
        ("GET", ["stories", id]) => Ok(world.story(id)?.legacy()),
        ("POST", ["v2", "stories"] | ["stories"]) => world.create_story(fields(seen)?),
        ("PUT", ["v2", "stories", id] | ["stories", id]) => world.change_story(id, fields(seen)?),
        ("DELETE", ["v2", "stories", id] | ["stories", id]) => world.delete_story(id),
        ("GET", ["webhooks"]) => Ok(world.list_webhooks()),
        ("GET", ["webhooks", id]) => Ok(world.webhook(id)?.alone()),
        ("DELETE", ["webhooks", id]) => world.delete_webhook(id),
        _ => Err(missing("route")),
    }
}

/// Parsed body of any JSON type.
fn body<T: DeserializeOwned>(seen: &Seen) -> Result<T, Refusal> {
    serde_json::from_str(&seen.body).map_err(|error| bad(format!("the body: {error}")))
}

/// Parsed body that must be an object. Serde would fill a struct from an array as well.
fn fields<T: DeserializeOwned>(seen: &Seen) -> Result<T, Refusal> {
    let value: Value = body(seen)?;
    if !value.is_object() {
        return Err(bad("the body: must be an object"));
    }
    T::deserialize(value).map_err(|error| bad(format!("the body: {error}")))
}

fn text(name: &str, value: &str, longest: usize) -> Result<(), Refusal> {
    match value.chars().count() {
        0 => Err(bad(format!("{name}: must not be empty"))),
        length if length > longest => Err(bad(format!("{name}: must have at most {longest} characters"))),
        _ => Ok(()),
    }
}
