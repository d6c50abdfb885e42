//! `chatbot.delete-story`: `DELETE /v2/stories/:storyId`. The path is inferred: ChatBot does not document it.

use crate::{
    client::Client,
    story::{StoryId, Touched},
};
use connector::{ActionContext, Code, Problem, action};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

action! {
    platform: "chatbot",
    name: "delete-story",
    label: "Delete a Story",
    description: "Deletes a story.",
    effect: Idempotent,
    input: Input,
    check: action::no_check,
    records: None,
    output: || schema_for!(Touched),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    story_id: StoryId,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Touched, Problem> {
    let StoryId(id) = input.story_id;
    match Client::of(&context)?.delete_story(&id).await {
        // The first call, whose answer was lost, has deleted it.
        Err(problem) if context.is_repeated && problem.code == Code::NotFound => {}
        outcome => outcome?,
    }
    Ok(Touched { id })
}
