//! `botstar.list-entities`: `GET /bots/{botId}/cms_entities`.

use crate::{
    client::Client,
    entity::{self, Environment},
    id::Id,
};
use connector::{
    ActionContext, Problem, action,
    list::{self, List},
};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::json;

action! {
    platform: "botstar",
    name: "list-entities",
    label: "List CMS Entities",
    description: "Lists the entities of a bot's CMS, with their fields.",
    effect: Safe,
    input: Input,
    check: action::no_check,
    records: None,
    output: output,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// Default: the connection's bot, or else the account's only bot.
    bot_id: Option<Id>,
    environment: Option<Environment>,
}

fn output() -> Schema {
    let next = json!({ "type": "null", "description": "BotStar lists its entities in one page." });
    list::schema(&entity::schema(), &next)
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<List, Problem> {
    let client = Client::of(&context)?;
    let bot = client.bot(input.bot_id).await?;
    let items = client.entities(&bot, input.environment.unwrap_or_default().as_str()).await?;
    Ok(List { items, next: None })
}
