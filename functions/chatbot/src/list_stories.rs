//! `chatbot.list-stories`: `GET /v2/stories`. ChatBot documents no paging, so the limit is applied here, as in Make's
//! app.

use crate::{client::Client, story};
use connector::{
    ActionContext, Problem, action,
    list::{self, List},
};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::json;

action! {
    platform: "chatbot",
    name: "list-stories",
    label: "List Stories",
    description: "Lists the account's stories.",
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
    /// Largest number of stories. Default: all.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<usize>,
}

fn output() -> Schema {
    let next = json!({ "type": "null", "description": "ChatBot lists its stories in one page." });
    list::schema(&story::schema(), &next)
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<List, Problem> {
    let mut items = Client::of(&context)?.stories().await?;
    items.truncate(input.limit.unwrap_or(usize::MAX));
    Ok(List { items, next: None })
}
