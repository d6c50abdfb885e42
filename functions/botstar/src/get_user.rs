//! `botstar.get-user`: `GET /bots/{botId}/users/{userId}`.

use crate::{
    client::Client,
    id::{Id, Object},
    user,
};
use connector::{ActionContext, Problem, action};
use schemars::JsonSchema;
use serde::Deserialize;

action! {
    platform: "botstar",
    name: "get-user",
    label: "Get a User",
    description: "Gets one chat user, with custom attributes.",
    effect: Safe,
    input: Input,
    check: action::no_check,
    records: None,
    output: user::schema,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// BotStar's id of the user, as Report & Insight > Audience shows it.
    user_id: Id,
    /// Default: the connection's bot, or else the account's only bot.
    bot_id: Option<Id>,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Object, Problem> {
    let client = Client::of(&context)?;
    client.user(&client.bot(input.bot_id).await?, &input.user_id.0).await
}
