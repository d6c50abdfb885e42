//! `chatbot.ban-user`: `PUT /users/:id/ban`, which bans and unbans.

use crate::{client::Client, user::UserId};
use connector::{ActionContext, Problem, action};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

action! {
    platform: "chatbot",
    name: "ban-user",
    label: "Ban/Unban a User",
    description: "Bans a user, or lifts the ban.",
    effect: Idempotent,
    input: Input,
    check: action::no_check,
    records: None,
    output: || schema_for!(Output),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    user_id: UserId,
    operation: Operation,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Operation {
    Ban,
    Unban,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    id: String,
    banned: bool,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let UserId(id) = input.user_id;
    let banned = matches!(input.operation, Operation::Ban);
    Client::of(&context)?.ban_user(&id, banned).await?;
    Ok(Output { id, banned })
}
