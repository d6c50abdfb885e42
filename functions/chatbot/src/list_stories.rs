//! `chatbot.list-stories`: `GET /v2/stories`. ChatBot documents no paging, so the limit is on our side, as it is on Make's.

use crate::{
    client::{Client, Object},
    story,
};
use models::{Action, Effect, Kind, Module};
use runtime::{Acting, Function, Problem, action, function::Handler};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

pub static ACTION: Action = Action {
    name: "chatbot.list-stories",
    platform: "chatbot",
    path: "/v1/actions/chatbot/list-stories",
    effect: Effect::Safe,
    input: || action::input_schema::<Input>(Effect::Safe),
    check: |_| Vec::new(),
};

pub const MODULE: Module =
    Module { label: "List Stories", description: "Lists the account's stories.", kind: Kind::Action(&ACTION), output };

pub static FUNCTION: Function = Function {
    name: "chatbot-list-stories",
    routes: &[action::route(&ACTION, MODULE.label, MODULE.output, HANDLER)],
    direct: Some(HANDLER),
};

const HANDLER: Handler = |app, call| Box::pin(action::act(app, &ACTION, call, run));

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
