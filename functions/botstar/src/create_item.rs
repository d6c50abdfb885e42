//! `botstar.create-item`: `POST /bots/{botId}/cms_entities/{entityId}/items`.

use crate::{
    client::Client,
    entity::{self, Environments, Fields, Status},
    id::{Id, Object},
};
use connector::{ActionContext, Problem, action};
use schemars::JsonSchema;
use serde::Deserialize;

action! {
    platform: "botstar",
    name: "create-item",
    label: "Create a CMS Item",
    description: "Creates an item of an entity.",
    effect: NotIdempotent,
    input: Input,
    check: entity::check,
    records: None,
    output: entity::item_schema,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    entity_id: Id,
    #[schemars(length(min = 1, max = 1000))]
    name: String,
    status: Option<Status>,
    /// A text or a list of texts for each field, by its unique name.
    fields: Option<Fields>,
    /// Default: the connection's bot, or else the account's only bot.
    bot_id: Option<Id>,
    environment: Option<Environments>,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Object, Problem> {
    let client = Client::of(&context)?;
    let bot = client.bot(input.bot_id).await?;
    let item = entity::item(Some(input.name), input.status, input.fields);
    client.create_item(&bot, &input.entity_id.0, input.environment.unwrap_or_default().as_str(), &item).await
}
