//! `chatbot.update-story`: `PUT /v2/stories/:storyId`. That the body has `name` and `description` is inferred from Make's
//! form.

use crate::{
    client::{Client, Object},
    story::{StoryId, Touched},
};
use models::{Action, Effect, Kind, Module};
use runtime::{Acting, Fault, Function, Problem, action, function::Handler};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::Value;

pub static ACTION: Action = Action {
    name: "chatbot.update-story",
    platform: "chatbot",
    path: "/v1/actions/chatbot/update-story",
    effect: Effect::Idempotent,
    input: || action::input_schema::<Input>(Effect::Idempotent),
    check,
};

pub const MODULE: Module = Module {
    label: "Update a Story",
    description: "Changes a story's name or description. What is left out stays.",
    kind: Kind::Action(&ACTION),
    output: || schema_for!(Touched),
};

pub static FUNCTION: Function = Function {
    name: "chatbot-update-story",
    routes: &[action::route(&ACTION, MODULE.label, MODULE.output, HANDLER)],
    direct: Some(HANDLER),
};

const HANDLER: Handler = |app, call| Box::pin(action::act(app, &ACTION, call, run));

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    story_id: StoryId,
    #[schemars(length(min = 1, max = 1024))]
    name: Option<String>,
    #[schemars(length(max = 10_000))]
    description: Option<String>,
}

fn check(input: &Value) -> Vec<Fault> {
    match (&input["name"], &input["description"]) {
        (Value::Null, Value::Null) => vec![Fault::new("", "has neither name nor description, so nothing would change")],
        _ => Vec::new(),
    }
}

async fn run(acting: Acting<'_>, input: Input) -> Result<Touched, Problem> {
    let StoryId(id) = input.story_id;
    let fields = [("name", input.name), ("description", input.description)];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    Client::of(&acting)?.update_story(&id, &Value::Object(given.collect::<Object>())).await?;
    Ok(Touched { id })
}
