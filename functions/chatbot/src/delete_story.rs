//! `chatbot.delete-story`: `DELETE /v2/stories/:storyId`. The path is inferred: ChatBot's pages show none.

use crate::{
    client::Client,
    story::{StoryId, Touched},
};
use models::{Action, Effect, Kind, Module};
use runtime::{Acting, Function, Problem, action, function::Handler};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

pub static ACTION: Action = Action {
    name: "chatbot.delete-story",
    platform: "chatbot",
    path: "/v1/actions/chatbot/delete-story",
    effect: Effect::Idempotent,
    input: || action::input_schema::<Input>(Effect::Idempotent),
    check: |_| Vec::new(),
};

pub const MODULE: Module = Module {
    label: "Delete a Story",
    description: "Deletes a story.",
    kind: Kind::Action(&ACTION),
    output: || schema_for!(Touched),
};

pub static FUNCTION: Function = Function {
    name: "chatbot-delete-story",
    routes: &[action::route(&ACTION, MODULE.label, MODULE.output, HANDLER)],
    direct: Some(HANDLER),
};

const HANDLER: Handler = |app, call| Box::pin(action::act(app, &ACTION, call, run));

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    story_id: StoryId,
}

async fn run(acting: Acting<'_>, input: Input) -> Result<Touched, Problem> {
    let StoryId(id) = input.story_id;
    Client::of(&acting)?.delete_story(&id).await?;
    Ok(Touched { id })
}
