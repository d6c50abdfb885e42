//! `botstar.delete-item`: `DELETE /bots/{botId}/cms_entities/{entityId}/items/{entityItemId}`.

use crate::{
    client::{Client, ItemPath},
    entity::{Environments, Touched},
    id::Id,
};
use connector::{ActionContext, Code, Problem, action};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

action! {
    platform: "botstar",
    name: "delete-item",
    label: "Delete a CMS Item",
    description: "Deletes an item of an entity.",
    effect: Idempotent,
    input: Input,
    check: action::no_check,
    records: None,
    output: || schema_for!(Touched),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    entity_id: Id,
    item_id: Id,
    /// Default: the connection's bot, or else the account's only bot.
    bot_id: Option<Id>,
    environment: Option<Environments>,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Touched, Problem> {
    let client = Client::of(&context)?;
    let bot = client.bot(input.bot_id).await?;
    let Id(id) = input.item_id;
    let path = ItemPath { bot: &bot, entity: &input.entity_id.0, item: &id };
    match client.delete_item(path, input.environment.unwrap_or_default().as_str()).await {
        // The first call, whose answer was lost, has deleted it.
        Err(problem) if context.is_repeated && problem.code == Code::NotFound => {}
        outcome => outcome?,
    }
    Ok(Touched { id })
}
