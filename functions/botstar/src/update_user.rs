//! `botstar.update-user`: `PATCH /bots/{botId}/users/{userId}`.

use crate::{
    client::Client,
    id::{Id, Object},
};
use connector::{ActionContext, Problem, action};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

action! {
    platform: "botstar",
    name: "update-user",
    label: "Update a User",
    description: "Sets attributes of a chat user. Other attributes stay unchanged.",
    effect: Idempotent,
    input: Input,
    check: action::no_check,
    records: None,
    output: || schema_for!(Output),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// BotStar's id of the user.
    user_id: Id,
    /// Values by name: `first_name`, `last_name`, `email`, `birthday` (`YYYY-MM-DD`), `gender`, and your own attributes.
    #[schemars(extend(
        "minProperties" = 1,
        "maxProperties" = 200,
        "propertyNames" = { "minLength": 1, "maxLength": 250 },
        "additionalProperties" = { "type": ["string", "number", "boolean"] }
    ))]
    attributes: Object,
    /// Default: the connection's bot, or else the account's only bot.
    bot_id: Option<Id>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    id: String,
    /// The attributes as BotStar returns them.
    attributes: Object,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let client = Client::of(&context)?;
    let Id(id) = input.user_id;
    let attributes = client.update_user(&client.bot(input.bot_id).await?, &id, input.attributes).await?;
    Ok(Output { id, attributes })
}
