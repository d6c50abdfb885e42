//! `chatbot.get-user`: `GET /users/:id`.

use crate::{
    client::{Client, Object},
    user::{self, UserId},
};
use models::{Action, Effect, Kind, Module};
use runtime::{Acting, Function, Problem, action, function::Handler};
use schemars::JsonSchema;
use serde::Deserialize;

pub static ACTION: Action = Action {
    name: "chatbot.get-user",
    platform: "chatbot",
    path: "/v1/actions/chatbot/get-user",
    effect: Effect::Safe,
    input: || action::input_schema::<Input>(Effect::Safe),
    check: |_| Vec::new(),
};

pub const MODULE: Module = Module {
    label: "Get a User",
    description: "Gets one user, whole.",
    kind: Kind::Action(&ACTION),
    output: user::schema,
};

pub static FUNCTION: Function = Function {
    name: "chatbot-get-user",
    routes: &[action::route(&ACTION, MODULE.label, MODULE.output, HANDLER)],
    direct: Some(HANDLER),
};

const HANDLER: Handler = |app, call| Box::pin(action::act(app, &ACTION, call, run));

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    user_id: UserId,
}

async fn run(acting: Acting<'_>, input: Input) -> Result<Object, Problem> {
    Client::of(&acting)?.user(&input.user_id.0).await
}
