//! `botdistrikt.send-message`: `POST /webchat_apps/{webchat_app_id}/message`, as a user that was registered. Neither the
//! fields of a message nor the shape of the answer are documented, so both are passed on as they are.

use crate::{bot_user::WebchatId, client::Client, register_user::{stored_user, subscriber_id}};
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
    description: "Says something to the bot as a registered user, and answers with what the bot answers.",
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
    /// The user's, as `botdistrikt.register-user` answered it.
    webchat_id: WebchatId,
    /// A text, which is sent as `{"text": …}`, or a message as BotDistrikt has it.
    #[schemars(schema_with = "message_schema")]
    message: Value,
}

/// Without alternatives, so that a fault tells all that could have been.
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
                "description": "The bot's responses, if the body is a list or has a list of that name.",
            },
            "body": { "description": "What BotDistrikt answered, as it is; null if that was nothing." },
        },
    })
}

/// BotDistrikt takes the domain and the user at once, and may refuse either.
const STALE: &str = "if the domain is right, the user may be gone there: register it again, with `reuse` false";

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let WebchatId(webchat_id) = input.webchat_id;
    let subscriber = subscriber_id(&context, &webchat_id);
    let user = stored_user(&context, &subscriber).await?.ok_or_else(|| {
        Problem::new(Code::NotFound, "no such user was registered here: call botdistrikt.register-user first")
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
    struct Told {
        responses: Vec<Box<RawValue>>,
    }
    let list = serde_json::from_str(body);
    list.ok()
        .or_else(|| serde_json::from_str(body).ok().filter(|_| is_object(body)).map(|Told { responses }| responses))
}

/// A list can stand for a struct.
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
