//! `chatbot.update-story`: `PUT /v2/stories/:storyId`. The fields `name` and `description` are inferred from Make's
//! form.

use crate::{
    client::{Client, Object},
    story::{StoryId, Touched},
};
use connector::{ActionContext, Problem, action};
use models::Fault;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::Value;

action! {
    platform: "chatbot",
    name: "update-story",
    label: "Update a Story",
    description: "Changes a story's name or description. Omitted fields stay unchanged.",
    effect: Idempotent,
    input: Input,
    check: check,
    records: None,
    output: || schema_for!(Touched),
    run: run,
}

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
        (Value::Null, Value::Null) => vec![Fault::new("", "must have a name or a description to change")],
        _ => Vec::new(),
    }
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Touched, Problem> {
    let StoryId(id) = input.story_id;
    let fields = [("name", input.name), ("description", input.description)];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    Client::of(&context)?.update_story(&id, &Value::Object(given.collect::<Object>())).await?;
    Ok(Touched { id })
}
