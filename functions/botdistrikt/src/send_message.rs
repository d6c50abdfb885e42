//! `botdistrikt.send-message`: `POST /webchat_apps/{webchat_app_id}/message`, as a registered user. Neither the fields
//! of a message nor the shape of the answer are documented, so both are passed on unchanged.

use crate::{
    bot_user::WebchatId,
    client::Client,
    register_user::{stored_user, subscriber_id},
};
use connector::{ActionContext, Code, Problem, Retry, action};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

action! {
    platform: "botdistrikt",
    name: "send-message",
    label: "Send a Message as a User",
    description: "Sends a message to the bot as a registered user, and returns the bot's answer.",
    effect: NotIdempotent,
    input: Input,
    check: action::no_check,
    records: Read,
    output: output,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// The user's id from the answer of `botdistrikt.register-user`.
    webchat_id: WebchatId,
    /// A text, which is sent as `{"text": …}`, or a message object of BotDistrikt.
    #[schemars(schema_with = "message_schema")]
    message: Value,
}

/// A single schema without alternatives, so that a fault names all accepted types.
fn message_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "object"], "minLength": 1, "minProperties": 1 })
}

#[derive(Serialize)]
struct Output {
    responses: Option<Vec<Box<RawValue>>>,
    body: Box<RawValue>,
}

fn output() -> Schema {
    json_schema!({
        "type": "object",
        "required": ["responses", "body"],
        "properties": {
            "responses": {
                "type": ["array", "null"],
                "description": "The bot's responses, if the body is a list or has a list `responses`.",
            },
            "body": { "description": "BotDistrikt's answer, unchanged; null if it was empty." },
        },
    })
}

/// BotDistrikt checks the domain and the user together, so a rejection may concern either.
const STALE: &str =
    "if the domain is correct, BotDistrikt may have deleted the user: register it again with `reuse` false";

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let WebchatId(webchat_id) = input.webchat_id;
    let subscriber = subscriber_id(&context, &webchat_id);
    let user = stored_user(&context, &subscriber).await?.ok_or_else(|| {
        Problem::new(Code::NotFound, "no such user is registered: call botdistrikt.register-user first")
    })?;
    let message = match input.message {
        Value::String(text) => json!({ "text": text }),
        message => message,
    };
    let body = Client::of(&context)?.say(&webchat_id, &user, &message).await.map_err(|problem| match problem.code {
        Code::ConnectionUnauthorized => Problem { detail: format!("{}; {STALE}", problem.detail), ..problem },
        _ => problem,
    })?;
    Ok(Output { responses: responses(&body), body: whole(body)? })
}

fn responses(body: &str) -> Option<Vec<Box<RawValue>>> {
    #[derive(Deserialize)]
    struct ResponseList {
        responses: Vec<Box<RawValue>>,
    }
    let list = serde_json::from_str(body);
    list.ok().or_else(|| {
        serde_json::from_str(body).ok().filter(|_| is_object(body)).map(|ResponseList { responses }| responses)
    })
}

/// serde would accept a list in place of a struct.
fn is_object(body: &str) -> bool {
    body.trim_start().starts_with('{')
}

fn whole(body: String) -> Result<Box<RawValue>, Problem> {
    if body.trim().is_empty() {
        return to_raw_value(&()).map_err(Problem::internal);
    }
    let json = serde_json::from_str::<&RawValue>(&body).map(ToOwned::to_owned);
    json.map_err(|_| {
        Problem::new(Code::PlatformUnavailable, "BotDistrikt's answer to the message is not JSON")
            .retried(Retry::Unknown)
    })
}
