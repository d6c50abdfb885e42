//! Fires when a story's webhook block runs.
//!
//! `POST /hooks/chatbot/message/{token}`, and `GET` for ChatBot's verification. The webhook is created and deleted
//! through ChatBot's API. <https://chatbot.com/docs/webhooks/>,
//! <https://chatbot.com/help/webhooks/verification-request>

use crate::client::Client;
use connector::{
    Access, App, Problem, Query, QueryValue, Registrar, Request, RequestExt as _, Response, Route,
    receive::{self, Received},
    respond, trigger,
};
use http::{Method, StatusCode};
use models::MessageKey;
use payload::Field;
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use store::hooks::verification_token;
use subtle::ConstantTimeEq as _;

trigger! {
    platform: "chatbot",
    noun: "message",
    label: "Watch New Messages",
    description: "Fires when a story's webhook block runs.",
    setup: "The hook creates its webhook at ChatBot, with its own name. Add a Webhook block to a story and choose \
                that name.",
    event: "chatbot.message.received",
    fields: &[FIELDS],
    // Two webhook blocks in one turn send the same message from two nodes.
    message: MessageKey { id: "message.id", part: "node", sample: "/messageId" },
    secret_query: &["token"],
    data: data,
    sample: SAMPLE,
    settings: TriggerSettings,
    answer: reply_schema,
    receive: receive,
    get: VERIFY,
}

const VERIFY: Route = Route::get(
    PATH,
    Access::Hook,
    "Answer ChatBot's verification with its challenge, or check a hook's URL",
    |app, request| Box::pin(verify(app, request)),
)
.with_query(&[
    Query {
        name: "challenge",
        description: "The text to return. Without it, the answer is `ready`.",
        value: QueryValue::Text,
    },
    Query { name: "token", description: "The webhook's token.", value: QueryValue::Text },
])
.answers_with(StatusCode::OK, challenge_schema);

/// The body of ChatBot's current API, or of the previous one, which has a `result`. Only the latter contains a
/// message's text: current stories store it in an attribute, which a hook's mapping may name.
const FIELDS: &[Field] = &[
    Field::expected("message.id", &["/messageId"]),
    Field::expected("message.chat_id", &["/chatId", "/conversationId"]),
    Field::optional("message.text", &["/result/resolvedQuery"]),
    Field::expected("node", &["/node", "/result/interaction"]),
    Field::optional("attributes", &["/attributes", "/result/sessionParameters", "/result/parameters"]),
    Field::expected("subscriber.id", &["/userId", "/sessionId"]),
    Field::optional("subscriber.name", &["/userAttributes/default_name"]),
    Field::optional("subscriber.email", &["/userAttributes/default_email"]),
    Field::optional("subscriber.locale", &["/userAttributes/default_language"]),
    Field::optional("subscriber.timezone", &["/userAttributes/default_timezone"]),
    Field::optional("subscriber.picture", &["/userAttributes/default_avatar"]),
    Field::optional("subscriber.attributes", &["/userAttributes"]),
    Field::optional("subscriber.attributes.external_id", &["/externalId"]),
];

/// The trigger's own settings.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct TriggerSettings {
    /// Answer to ChatBot: up to 32 KB of JSON, whose texts may contain `{{/json/pointer}}` into the event's `data`.
    reply: Option<Answer>,
    /// True if a call must contain the webhook's token. A token in a call is always checked.
    require_token: Option<bool>,
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline, deny_unknown_fields)]
struct Answer {
    /// Messages of the bot, in ChatBot's form: `{"type": "text", "message": "Hi {{/subscriber/name}}"}`.
    #[schemars(extend("items" = { "type": "object", "required": ["type"], "properties": { "type": { "type": "string" } } }))]
    #[schemars(length(max = 50))]
    responses: Vec<Value>,
    /// Attributes of the chat to set.
    #[schemars(extend("maxProperties" = 99, "additionalProperties" = { "type": ["string", "number", "boolean"] }))]
    attributes: Map<String, Value>,
}

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    let text = json!({ "type": ["string", "null"] });
    let object = json!({ "type": ["object", "null"] });
    json!({
        "message": {
            "type": "object",
            "required": ["id", "chat_id", "text"],
            "properties": { "id": text, "chat_id": text, "text": text },
        },
        "node": object,
        "attributes": object,
    })
}

fn reply_schema() -> Schema {
    json_schema!({
        "type": "object",
        "description": "The hook's `reply`.",
        "required": ["responses"],
        "properties": { "responses": { "type": "array" }, "attributes": { "type": "object" } },
    })
}

fn challenge_schema() -> Schema {
    json_schema!({ "anyOf": [{ "type": "string", "contentMediaType": "text/plain" }, receive::ready_schema()] })
}

/// Receives a call. ChatBot waits 10 s for the reply.
async fn receive(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = receive::find(&TRIGGER, &request)?;
    let settings: TriggerSettings = hook.settings.own().map_err(Problem::internal)?;
    let fault = match request.query("token") {
        Some(token) if !is_token(&request, &token) => Some("the webhook's token is wrong"),
        None if settings.require_token == Some(true) => Some("the webhook's token is missing: ?token=… in the URL"),
        _ => None,
    };
    if let Some(fault) = fault {
        return Err(receive::reject(app, &hook, &request, Problem::unauthorized(fault)).await);
    }
    let received = receive::store_call(app, &TRIGGER, &hook, &request, Map::new()).await?;
    let replied = settings.reply.and_then(|reply| replied(&received, &reply));
    received.reply(&replied.unwrap_or_else(|| json!({ "responses": [], "attributes": {} })))
}

/// The reply to an event; none if it is too large.
fn replied(received: &Received, reply: &Answer) -> Option<Value> {
    let data = received.data()?;
    let filled = received.fill_reply(&serde_json::to_value(reply).ok()?, &data)?;
    Some(match data["raw"].get("result") {
        Some(_) => json!({ "responses": legacy(&filled["responses"], &filled["attributes"]) }),
        None => filled,
    })
}

/// The reply in the form of ChatBot's previous API: texts in lists, attributes as a response of their own.
fn legacy(responses: &Value, attributes: &Value) -> Value {
    let mut all: Vec<Value> = responses.as_array().cloned().unwrap_or_default();
    for response in &mut all {
        if let Some(message) = response.as_object_mut().and_then(|fields| fields.shift_remove("message")) {
            response["elements"] = json!([message]);
        }
    }
    let set = attributes.as_object().into_iter().flatten();
    let elements: Vec<Value> =
        set.map(|(name, value)| json!({ "name": name, "action": "set", "value": value })).collect();
    if !elements.is_empty() {
        all.push(json!({ "type": "setAttributes", "elements": elements }));
    }
    Value::Array(all)
}

/// Answers ChatBot's verification, which happens while the webhook is created, and checks of the URL.
async fn verify(app: &App, request: Request) -> Result<Response, Problem> {
    let Some(challenge) = request.query("challenge").filter(|_| request.method() == Method::GET) else {
        return receive::probe(app, &TRIGGER, request).await;
    };
    receive::find(&TRIGGER, &request)?;
    if !request.query("token").is_some_and(|token| is_token(&request, &token)) {
        return Err(Problem::unauthorized("the webhook's token is wrong"));
    }
    Ok(respond::text(StatusCode::OK, challenge))
}

/// True for the verification token of the called URL.
fn is_token(request: &Request, token: &str) -> bool {
    verification_token(request.param("token")).as_bytes().ct_eq(token.as_bytes()).into()
}

pub const REGISTRAR: Registrar = Registrar {
    trigger: "chatbot.watch-message",
    pending: "ChatBot's answer was lost, so the webhook may exist: delete this hook, which also deletes the webhook, and \
              make another.",
    registered: "ChatBot has the webhook, with the hook's original name: add a Webhook block to a story and \
                 choose it. After a renaming, rename the webhook in ChatBot by hand: its API documents no way to.",
    stale: "ChatBot still has the old URL, which is valid until `old_url_until`: before that, paste the new URL and \
            `registration.token` into the webhook in ChatBot by hand. Its API documents no update.",
    manual: "ChatBot's API has no webhooks, so paste this URL by hand: create a webhook in ChatBot with it, and with \
             `registration.token` as its token. Then add a Webhook block to a story and choose it.",
    register: |app, credentials, webhook| {
        Box::pin(async move { within(app, credentials, 12)?.create_webhook(&webhook).await })
    },
    find: |app, credentials, hook| Box::pin(async move { within(app, credentials, 8)?.find_webhook(hook).await }),
    remove: |app, credentials, id| Box::pin(async move { within(app, credentials, 12)?.delete_webhook(&id).await }),
};

/// A client with a time limit in seconds: one call may follow another within API Gateway's timeout.
fn within<'a>(app: &'a App, credentials: &Value, seconds: u64) -> Result<Client<'a>, Problem> {
    Client::new(app, credentials, Instant::now() + Duration::from_secs(seconds))
}

/// From ChatBot's documentation of webhooks, with made-up values.
const SAMPLE: &str = r#"{
  "chatId": "602313f00000000000000001",
  "messageId": "5a7fb3e1-8452-4aee-a7a9-2f0edaeb8e42",
  "userId": "602313f00000000000000002",
  "externalId": "26565d77-dd8f-4f34-bb46-4daaa8a22895",
  "node": {
    "id": "4b0d6bea-1a9b-4d29-bf23-85e8aa9619ae",
    "name": "Order",
    "type": "WEBHOOK",
    "webhookId": "602313f00000000000000003",
    "webhookName": "Orders"
  },
  "userAttributes": { "default_name": "Ava Chen", "default_email": "ava@example.com", "plan": "gold" },
  "attributes": { "product": "Latte", "quantity": "2" }
}"#;
