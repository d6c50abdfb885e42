//! `chatbot.get-story`: `GET /v2/stories/:storyId`.

use crate::{
    client::Client,
    story::{self, StoryId},
};
use connector::{ActionContext, Problem, action};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

action! {
    platform: "chatbot",
    name: "get-story",
    label: "Get a Story",
    description: "Gets one story, whole, with its diagram.",
    effect: Safe,
    input: Input,
    check: action::no_check,
    records: None,
    output: story::schema,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    story_id: StoryId,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Box<RawValue>, Problem> {
    Client::of(&context)?.story(&input.story_id.0).await
}
