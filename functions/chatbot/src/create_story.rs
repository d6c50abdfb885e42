//! `chatbot.create-story`: `POST /v2/stories`. The fields `name` and `description` are inferred from Make's form.

use crate::{client::Client, story::Touched};
use connector::{ActionContext, Problem, action};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::json;

action! {
    platform: "chatbot",
    name: "create-story",
    label: "Create a Story",
    description: "Creates an empty story.",
    effect: NotIdempotent,
    input: Input,
    check: action::no_check,
    records: None,
    output: || schema_for!(Touched),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    #[schemars(length(min = 1, max = 1024))]
    name: String,
    #[schemars(length(max = 10_000))]
    description: Option<String>,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Touched, Problem> {
    let mut story = json!({ "name": input.name });
    if let Some(description) = input.description {
        story["description"] = json!(description);
    }
    let id = Client::of(&context)?.create_story(&story).await?;
    Ok(Touched { id })
}
