//! `botdistrikt.send-message`: `POST /webchat_apps/{webchat_app_id}/message`, as a user that was registered. Neither the
//! fields of a message nor the shape of the answer are documented, so both are passed on as they are.

use crate::{
    bot_user::WebchatId,
    client::Client,
    register_user::{stored_user, subscriber_id},
};
use runtime::{Acting, Code, Problem, action};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{
    Map, Value, json,
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
    message: Message,
}

/// A text, which is sent as `{"text": …}`, or a message as BotDistrikt has it.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Message {
    Text(#[schemars(length(min = 1))] String),
    Whole(#[schemars(extend("minProperties" = 1))] Map<String, Value>),
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
            "body": { "description": "What BotDistrikt answered, as it is; what is no JSON, as a text." },
        },
    })
}

async fn run(acting: Acting<'_>, input: Input) -> Result<Output, Problem> {
    let WebchatId(webchat_id) = input.webchat_id;
    let subscriber = subscriber_id(&acting, &webchat_id);
    let user = stored_user(&acting, &subscriber).await?.ok_or_else(|| {
        Problem::new(Code::NotFound, "no such user was registered here: call botdistrikt.register-user first")
    })?;
    let message = match input.message {
        Message::Text(text) => json!({ "text": text }),
        Message::Whole(message) => Value::Object(message),
    };
    let body = Client::of(&acting)?.say(&webchat_id, &user, &message).await?;
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
    match serde_json::from_str::<&RawValue>(&body) {
        Ok(json) => Ok(json.to_owned()),
        Err(_) => to_raw_value(&body).map_err(Problem::internal),
    }
}
