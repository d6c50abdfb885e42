//! `botstar.get-item`: `GET /bots/{botId}/cms_entities/{entityId}/items/{entityItemId}`.

use crate::{
    client::{Client, ItemPath},
    entity::{self, Environment},
    id::{Id, Object},
};
use connector::{ActionContext, Problem, action};
use schemars::JsonSchema;
use serde::Deserialize;

action! {
    platform: "botstar",
    name: "get-item",
    label: "Get a CMS Item",
    description: "Gets one item of an entity.",
    effect: Safe,
    input: Input,
    check: action::no_check,
    records: None,
    output: entity::item_schema,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    entity_id: Id,
    item_id: Id,
    /// Default: the connection's bot, or else the account's only bot.
    bot_id: Option<Id>,
    environment: Option<Environment>,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Object, Problem> {
    let client = Client::of(&context)?;
    let bot = client.bot(input.bot_id).await?;
    let path = ItemPath { bot: &bot, entity: &input.entity_id.0, item: &input.item_id.0 };
    client.item(path, input.environment.unwrap_or_default().as_str()).await
}
