//! `chatbot.create-story`: `POST /v2/stories`. That the body has `name` and `description` is inferred from Make's form.

use crate::{client::Client, story::Touched};
use models::{Action, Effect, Kind, Module};
use runtime::{Acting, Function, Problem, action, function::Handler};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::json;

pub static ACTION: Action = Action {
    name: "chatbot.create-story",
    platform: "chatbot",
    path: "/v1/actions/chatbot/create-story",
    effect: Effect::NotIdempotent,
    input: || action::input_schema::<Input>(Effect::NotIdempotent),
    check: |_| Vec::new(),
};

pub const MODULE: Module = Module {
    label: "Create a Story",
    description: "Creates an empty story.",
    kind: Kind::Action(&ACTION),
    output: || schema_for!(Touched),
};

pub static FUNCTION: Function = Function {
    name: "chatbot-create-story",
    routes: &[action::route(&ACTION, MODULE.label, MODULE.output, HANDLER)],
    direct: Some(HANDLER),
};

const HANDLER: Handler = |app, call| Box::pin(action::act(app, &ACTION, call, run));

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    #[schemars(length(min = 1, max = 1024))]
    name: String,
    #[schemars(length(max = 10_000))]
    description: Option<String>,
}

async fn run(acting: Acting<'_>, input: Input) -> Result<Touched, Problem> {
    let mut story = json!({ "name": input.name });
    if let Some(description) = input.description {
        story["description"] = json!(description);
    }
    let id = Client::of(&acting)?.create_story(&story).await?;
    Ok(Touched { id })
}
