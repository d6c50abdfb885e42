//! `botstar.send-message`: `POST /messages`. <https://docs.botstar.com/docs/en/json-formats/>

use crate::{client::Client, id::Id, message};
use connector::{ActionContext, Problem, action};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

action! {
    platform: "botstar",
    name: "send-message",
    label: "Send a Message",
    description: "Sends a message to a chat user. BotStar documents recipients on Messenger alone.",
    effect: NotIdempotent,
    input: Input,
    check: message::check,
    records: None,
    output: || schema_for!(Output),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// BotStar's id of the user.
    user_id: Id,
    /// A text, or an object in BotStar's JSON format. Buttons (at most 3) and cards are checked, other parts are sent
    /// unchanged.
    #[schemars(extend("type" = ["string", "object"], "minLength" = 1, "maxLength" = 20_000, "minProperties" = 1))]
    message: Value,
    /// Messenger's tag for a message outside its 24-hour window.
    message_tag: Option<MessageTag>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
enum MessageTag {
    #[serde(rename = "CONFIRMED_EVENT_UPDATE")]
    ConfirmedEvent,
    #[serde(rename = "POST_PURCHASE_UPDATE")]
    PostPurchase,
    #[serde(rename = "ACCOUNT_UPDATE")]
    Account,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    recipient_id: String,
    message_id: String,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let mut body = json!({ "recipient": { "id": input.user_id.0 }, "message": message::wire(input.message) });
    if let Some(tag) = input.message_tag {
        body["options"] = json!({ "message_tag": tag });
    }
    let sent = Client::of(&context)?.send_message(&body).await?;
    Ok(Output { recipient_id: sent.recipient_id, message_id: sent.message_id })
}
