//! What a sandbox of its own process is told over HTTP, as a test tells one of its own.

use super::{Fault, Platform, Seen, Shared, botdistrikt, botmother, chatbot, given, guide, lock, server::json};
use axum::{
    http::{Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    count: u16,
}

/// What BotDistrikt answers to messages: by default the usual.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(default, deserialize_with = "given")]
    body: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventWebhook {
    url: String,
}

/// What is left out stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switches {
    refuse_events: Option<bool>,
    exceed_limits: Option<bool>,
    nest_payload: Option<bool>,
}

pub async fn answer(shared: &Shared, method: &Method, path: &str, body: &str) -> Response {
    if (method.as_str(), path) == ("GET", "/") {
        return guide::help(&shared.url).into_response();
    }
    let outcome = match path.strip_prefix("/sandbox/") {
        Some(route) => told(shared, method, route, body).await,
        None => None,
    };
    match outcome {
        None => (StatusCode::NOT_FOUND, "no such route; GET / lists them\n").into_response(),
        Some(Ok(Value::Null)) => StatusCode::NO_CONTENT.into_response(),
        Some(Ok(value)) => json(StatusCode::OK, &value),
        Some(Err(fault)) => (StatusCode::BAD_REQUEST, fault + "\n").into_response(),
    }
}

/// None: there is no such route.
async fn told(shared: &Shared, method: &Method, route: &str, body: &str) -> Option<Result<Value, String>> {
    let done = |()| Value::Null;
    Some(match (method.as_str(), route) {
        ("POST", "faults") => read(body).map(|fault: Fault| lock(&shared.faults).push(fault)).map(done),
        ("DELETE", "faults") => Ok(done(lock(&shared.faults).clear())),
        ("GET", "requests") => Ok(lock(&shared.seen).iter().map(masked).collect()),
        ("DELETE", "requests") => Ok(done(lock(&shared.seen).clear())),
        ("POST", "chatbot/users") => {
            read(body).map(|seed: Seed| lock(&shared.chatbot).seed_users(seed.count.into())).map(done)
        }
        ("POST", "chatbot/say") => match read(body) {
            Ok(said) => chatbot::say(shared, said).await,
            Err(fault) => Err(fault),
        },
        ("POST", "botdistrikt/answer") => {
            read(body).map(|answer: Answer| lock(&shared.botdistrikt).answer = answer.body).map(done)
        }
        ("POST", "botdistrikt/webhook") => {
            read(body).and_then(|hook: EventWebhook| lock(&shared.botdistrikt).set_webhook(&hook.url)).map(done)
        }
        ("POST", "botdistrikt/say") => match read(body) {
            Ok(said) => botdistrikt::say(shared, said).await,
            Err(fault) => Err(fault),
        },
        ("POST", "botmother/switches") => read(body).map(|switches: Switches| switches.set(shared)).map(done),
        ("POST", "botmother/request") => match read(body) {
            Ok(asked) => botmother::request(shared, asked).await,
            Err(fault) => Err(fault),
        },
        _ => return None,
    })
}

impl Switches {
    fn set(&self, shared: &Shared) {
        let mut world = lock(&shared.botmother);
        world.refuse_events = self.refuse_events.unwrap_or(world.refuse_events);
        world.exceed_limits = self.exceed_limits.unwrap_or(world.exceed_limits);
        world.nest_payload = self.nest_payload.unwrap_or(world.nest_payload);
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| format!("the body: {error}"))
}

/// A request as it is shown: of what is secret only whether it was right.
fn masked(seen: &Seen) -> Value {
    let header = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        let shown = match (name, seen.platform) {
            (&header::AUTHORIZATION, Platform::ChatBot) if chatbot::authorized(seen) => {
                "Bearer (the access token)".into()
            }
            (&header::AUTHORIZATION, Platform::ChatBot) => "(not the access token)".into(),
            _ => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        (name.to_string(), Value::from(shown))
    };
    let headers: Map<String, Value> = seen.headers.iter().map(header).collect();
    let (method, mut path, query, mut body) = (seen.method.as_str(), seen.path.clone(), &seen.query, seen.body.clone());
    match seen.platform {
        Platform::ChatBot => {}
        Platform::BotDistrikt => body = botdistrikt::masked_body(seen),
        Platform::Botmother => path = botmother::masked_path(seen),
    }
    json!({
        "platform": seen.platform, "method": method, "path": path, "query": query, "headers": headers, "body": body,
    })
}
