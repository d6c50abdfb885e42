//! HTTP routes that control a sandbox in a process of its own, as methods control one in a test.

use super::{Platform, Seen, Shared, botdistrikt, botmother, botstar, chatbot, given, guide, json, lock};
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBot {
    name: String,
}

/// Answer of BotDistrikt to messages. No `body` restores the default.
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

/// Switches of Botmother. A missing one stays as it is.
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
    let reported = match path.strip_prefix("/sandbox/") {
        Some(route) => run(shared, method, route, body).await,
        None => Ok(None),
    };
    match reported {
        Ok(None) => (StatusCode::NOT_FOUND, "no such route; GET / lists them\n").into_response(),
        Ok(Some(Value::Null)) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(value)) => json(StatusCode::OK, &value),
        Err(fault) => (StatusCode::BAD_REQUEST, fault + "\n").into_response(),
    }
}

/// Runs a control route. Returns none if there is no such route.
async fn run(shared: &Shared, method: &Method, route: &str, body: &str) -> Result<Option<Value>, String> {
    match (method.as_str(), route) {
        ("POST", "faults") => lock(&shared.faults).push(read(body)?),
        ("DELETE", "faults") => lock(&shared.faults).clear(),
        ("GET", "requests") => return Ok(Some(lock(&shared.seen).iter().map(masked).collect())),
        ("DELETE", "requests") => lock(&shared.seen).clear(),
        ("POST", "botstar/bots") => drop(lock(&shared.botstar).add_bot(&read::<NewBot>(body)?.name)),
        ("POST", "botstar/items") => lock(&shared.botstar).seed_items(read::<Seed>(body)?.count.into()),
        ("POST", "chatbot/users") => lock(&shared.chatbot).seed_users(read::<Seed>(body)?.count.into()),
        ("POST", "chatbot/say") => return chatbot::say(shared, read(body)?).await.map(Some),
        ("POST", "botdistrikt/answer") => lock(&shared.botdistrikt).answer = read::<Answer>(body)?.body,
        ("POST", "botdistrikt/webhook") => {
            lock(&shared.botdistrikt).set_webhook(&read::<EventWebhook>(body)?.url)?;
        }
        ("POST", "botdistrikt/say") => return botdistrikt::say(shared, read(body)?).await.map(Some),
        ("POST", "botmother/switches") => read::<Switches>(body)?.set(shared),
        ("POST", "botmother/request") => return botmother::request(shared, read(body)?).await.map(Some),
        _ => return Ok(None),
    }
    Ok(Some(Value::Null))
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

/// Request for display, with the tokens of BotStar and ChatBot, BotDistrikt's domain and the token of Botmother's event masked.
fn masked(seen: &Seen) -> Value {
    let header = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        let shown = match (name, seen.platform) {
            (&header::AUTHORIZATION, Platform::BotStar) if botstar::authorized(seen) => "Bearer (the API token)".into(),
            (&header::AUTHORIZATION, Platform::BotStar) => "(not the API token)".into(),
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
        Platform::BotStar | Platform::ChatBot => {}
        Platform::BotDistrikt => body = botdistrikt::masked_body(seen),
        Platform::Botmother => path = botmother::masked_path(seen),
    }
    json!({
        "platform": seen.platform, "method": method, "path": path, "query": query, "headers": headers, "body": body,
    })
}
