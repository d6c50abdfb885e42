//! `chatbot.update-user`: `PUT /users/:id`.

use crate::{
    client::Client,
    user::{self, Attributes, UserId},
};
use connector::{ActionContext, Problem, action};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

action! {
    platform: "chatbot",
    name: "update-user",
    label: "Update a User",
    description: "Changes a user's attributes. Omitted attributes stay unchanged.",
    effect: Idempotent,
    input: Input,
    check: user::check,
    records: None,
    output: || schema_for!(Output),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    user_id: UserId,
    #[serde(flatten)]
    attributes: Attributes,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    id: String,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let UserId(id) = input.user_id;
    Client::of(&context)?.update_user(&id, input.attributes.into_wire()).await?;
    Ok(Output { id })
}
