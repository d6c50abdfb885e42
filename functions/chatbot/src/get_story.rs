//! `chatbot.get-story`: `GET /v2/stories/:storyId`.

use crate::{
    client::{Client, Object},
    story::{self, StoryId},
};
use models::{Action, Effect, Kind, Module};
use runtime::{Acting, Function, Problem, action, function::Handler};
use schemars::JsonSchema;
use serde::Deserialize;

pub static ACTION: Action = Action {
    name: "chatbot.get-story",
    platform: "chatbot",
    path: "/v1/actions/chatbot/get-story",
    effect: Effect::Safe,
    input: || action::input_schema::<Input>(Effect::Safe),
    check: |_| Vec::new(),
};

pub const MODULE: Module = Module {
    label: "Get a Story",
    description: "Gets one story, whole, with its diagram.",
    kind: Kind::Action(&ACTION),
    output: story::schema,
};

pub static FUNCTION: Function = Function {
    name: "chatbot-get-story",
    routes: &[action::route(&ACTION, MODULE.label, MODULE.output, HANDLER)],
    direct: Some(HANDLER),
};

const HANDLER: Handler = |app, call| Box::pin(action::act(app, &ACTION, call, run));

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    story_id: StoryId,
}

async fn run(acting: Acting<'_>, input: Input) -> Result<Object, Problem> {
    Client::of(&acting)?.story(&input.story_id.0).await
}
