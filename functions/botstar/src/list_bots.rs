//! `botstar.list-bots`: `GET /bots/`.

use crate::client::Client;
use connector::{
    ActionContext, Problem, action,
    list::{self, List},
};
use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;
use serde_json::json;

action! {
    platform: "botstar",
    name: "list-bots",
    label: "List Bots",
    description: "Lists the bots of the token's account.",
    effect: Safe,
    input: Input,
    check: action::no_check,
    records: None,
    output: output,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {}

fn output() -> Schema {
    let bot = json_schema!({
        "type": "object",
        "description": "BotStar's bot.",
        "required": ["id"],
        "properties": {
            "id": { "type": "string", "description": "For `bot_id` of other actions." },
            "name": { "type": "string" },
            "team_name": { "type": ["string", "null"] },
        },
        "additionalProperties": true,
    });
    list::schema(&bot, &json!({ "type": "null", "description": "BotStar lists its bots in one page." }))
}

async fn run(context: ActionContext<'_>, _: Input) -> Result<List, Problem> {
    Ok(List { items: Client::of(&context)?.bots().await?, next: None })
}
