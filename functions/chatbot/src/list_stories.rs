//! `chatbot.list-stories`: `GET /v2/stories`. ChatBot documents no paging, so the limit is on our side, as it is on Make's.

use crate::{
    client::{Client, Object},
    story,
};
use runtime::{Acting, Problem, action};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

action! {
    platform: "chatbot",
    name: "list-stories",
    label: "List Stories",
    description: "Lists the account's stories.",
    effect: Safe,
    input: Input,
    check: action::no_check,
    output: output,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// How many stories at most. Left out: all.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Output {
    items: Vec<Object>,
    next: Option<String>,
}

fn output() -> Schema {
    json_schema!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": { "type": "array", "items": story::schema() },
            "next": { "type": "null", "description": "ChatBot lists its stories in one page." },
        },
    })
}

async fn run(acting: Acting<'_>, input: Input) -> Result<Output, Problem> {
    let mut items = Client::of(&acting)?.stories().await?;
    items.truncate(input.limit.unwrap_or(usize::MAX));
    Ok(Output { items, next: None })
}
