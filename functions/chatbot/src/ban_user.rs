//! `chatbot.ban-user`: `PUT /users/:id/ban`, for both ways.

use crate::{client::Client, user::UserId};
use models::{Action, Effect, Kind, Module};
use runtime::{Acting, Function, Problem, action, function::Handler};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

pub static ACTION: Action = Action {
    name: "chatbot.ban-user",
    platform: "chatbot",
    path: "/v1/actions/chatbot/ban-user",
    effect: Effect::Idempotent,
    input: || action::input_schema::<Input>(Effect::Idempotent),
    check: |_| Vec::new(),
};

pub const MODULE: Module = Module {
    label: "Ban/Unban a User",
    description: "Bans a user, or lifts the ban.",
    kind: Kind::Action(&ACTION),
    output: || schema_for!(Output),
};

pub static FUNCTION: Function = Function {
    name: "chatbot-ban-user",
    routes: &[action::route(&ACTION, MODULE.label, MODULE.output, HANDLER)],
    direct: Some(HANDLER),
};

const HANDLER: Handler = |app, call| Box::pin(action::act(app, &ACTION, call, run));

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

async fn run(acting: Acting<'_>, input: Input) -> Result<Output, Problem> {
    let UserId(id) = input.user_id;
    let banned = matches!(input.operation, Operation::Ban);
    Client::of(&acting)?.ban_user(&id, banned).await?;
    Ok(Output { id, banned })
}
