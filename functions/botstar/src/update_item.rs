//! `botstar.update-item`: `PATCH /bots/{botId}/cms_entities/{entityId}/items/{entityItemId}`.

use crate::{
    client::{Client, ItemPath},
    entity::{self, Environments, Fields, Status, Touched},
    id::Id,
};
use connector::{ActionContext, Fault, Problem, action};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::Value;

action! {
    platform: "botstar",
    name: "update-item",
    label: "Update a CMS Item",
    description: "Changes an item's name, status or fields. Omitted ones stay unchanged.",
    effect: Idempotent,
    input: Input,
    check: check,
    records: None,
    output: || schema_for!(Touched),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    entity_id: Id,
    item_id: Id,
    #[schemars(length(min = 1, max = 1000))]
    name: Option<String>,
    status: Option<Status>,
    /// A text or a list of texts for each field, by its unique name.
    fields: Option<Fields>,
    /// Default: the connection's bot, or else the account's only bot.
    bot_id: Option<Id>,
    environment: Option<Environments>,
}

fn check(input: &Value) -> Vec<Fault> {
    let mut faults = entity::check(input);
    let has_field = input["fields"].as_object().is_some_and(|fields| !fields.is_empty());
    if input["name"].is_null() && input["status"].is_null() && !has_field {
        faults.push(Fault::new("", "must have a name, a status or a field to change"));
    }
    faults
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Touched, Problem> {
    let client = Client::of(&context)?;
    let bot = client.bot(input.bot_id).await?;
    let Id(id) = input.item_id;
    let path = ItemPath { bot: &bot, entity: &input.entity_id.0, item: &id };
    let change = entity::item(input.name, input.status, input.fields);
    client.update_item(path, input.environment.unwrap_or_default().as_str(), &change).await?;
    Ok(Touched { id })
}
