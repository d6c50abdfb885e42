//! `chatbot.get-user`: `GET /users/:id`.

use crate::{
    client::{Client, Object},
    user::{self, UserId},
};
use connector::{ActionContext, Problem, action};
use schemars::JsonSchema;
use serde::Deserialize;

action! {
    platform: "chatbot",
    name: "get-user",
    label: "Get a User",
    description: "Gets one user, whole.",
    effect: Safe,
    input: Input,
    check: action::no_check,
    records: None,
    output: user::schema,
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    user_id: UserId,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Object, Problem> {
    Client::of(&context)?.user(&input.user_id.0).await
}
