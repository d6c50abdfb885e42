//! What a sandbox of its own process is told over HTTP, as a test tells one of its own.

use super::{Fault, Seen, Shared, chatbot, lock, server::json};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

const HELP: &str = r#"Switchboard's sandbox. It plays ChatBot under /chatbot; everything in it is made up.

POST   /sandbox/faults         arm a fault: {"kind": "slow_down", "path": "/webhooks", "method": "POST", "times": 2}
                               all but the kind may be left out. Kinds: bad_request, unauthorized, forbidden, not_found,
                               gone, conflict, slow_down, error, unavailable, redirect, hang, hang_before, slow,
                               cut, cut_before, nonsense, wrong_shape, empty, echo, huge, envelope_error
DELETE /sandbox/faults         disarm all
GET    /sandbox/requests       what ChatBot received, in order
DELETE /sandbox/requests       forget it
POST   /sandbox/chatbot/users  add users: {"count": 100}
POST   /sandbox/chatbot/say    have a user reach the webhook blocks: {"text": "Hi", "attributes": {"plan": "gold"}}
                               besides: "webhook" and "user", ids; "message_id"; "version", 2 or 1;
                               "with_token", true or false; "token", another than the webhook's. The body of version 2
                               has no text: it is in the attribute "text", as if the story had saved it there
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    count: u16,
}

pub async fn answer(shared: &Shared, seen: &Seen) -> Response {
    let outcome = match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", "/") => return HELP.into_response(),
        ("POST", "/sandbox/faults") => read::<Fault>(seen).map(|fault| {
            lock(&shared.faults).push(fault);
            Value::Null
        }),
        ("DELETE", "/sandbox/faults") => {
            lock(&shared.faults).clear();
            Ok(Value::Null)
        }
        ("GET", "/sandbox/requests") => Ok(lock(&shared.seen).iter().map(masked).collect()),
        ("DELETE", "/sandbox/requests") => {
            lock(&shared.seen).clear();
            Ok(Value::Null)
        }
        ("POST", "/sandbox/chatbot/users") => read::<Seed>(seen).map(|seed| {
            lock(&shared.chatbot).seed_users(seed.count.into());
            Value::Null
        }),
        ("POST", "/sandbox/chatbot/say") => match read(seen) {
            Ok(said) => chatbot::say(shared, said).await,
            Err(fault) => Err(fault),
        },
        _ => return (StatusCode::NOT_FOUND, "no such route; GET / lists them\n").into_response(),
    };
    match outcome {
        Ok(Value::Null) => StatusCode::NO_CONTENT.into_response(),
        Ok(value) => json(StatusCode::OK, &value),
        Err(fault) => (StatusCode::BAD_REQUEST, fault + "\n").into_response(),
    }
}

fn read<T: DeserializeOwned>(seen: &Seen) -> Result<T, String> {
    serde_json::from_str(&seen.body).map_err(|error| format!("the body: {error}"))
}

/// A request as it is shown: of the authorization only whether it was right.
fn masked(seen: &Seen) -> Value {
    let header = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        let shown = match *name {
            header::AUTHORIZATION if chatbot::authorized(seen) => "Bearer (the access token)".into(),
            header::AUTHORIZATION => "(not the access token)".into(),
            _ => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        (name.to_string(), Value::from(shown))
    };
    let headers: Map<String, Value> = seen.headers.iter().map(header).collect();
    let (method, path, query, body) = (seen.method.as_str(), &seen.path, &seen.query, &seen.body);
    json!({ "method": method, "path": path, "query": query, "headers": headers, "body": body })
}
