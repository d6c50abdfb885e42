//! `chatbot.update-user`: `PUT /users/:id`.

use crate::{
    client::Client,
    user::{self, Attributes, UserId},
};
use models::{Action, Effect, Kind, Module};
use runtime::{Acting, Function, Problem, action, function::Handler};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

pub static ACTION: Action = Action {
    name: "chatbot.update-user",
    platform: "chatbot",
    path: "/v1/actions/chatbot/update-user",
    effect: Effect::Idempotent,
    input: || action::input_schema::<Input>(Effect::Idempotent),
    check: user::check,
};

pub const MODULE: Module = Module {
    label: "Update a User",
    description: "Changes what is known of a user. Attributes that are left out stay.",
    kind: Kind::Action(&ACTION),
    output: || schema_for!(Output),
};

pub static FUNCTION: Function = Function {
    name: "chatbot-update-user",
    routes: &[action::route(&ACTION, MODULE.label, MODULE.output, HANDLER)],
    direct: Some(HANDLER),
};

const HANDLER: Handler = |app, call| Box::pin(action::act(app, &ACTION, call, run));

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

async fn run(acting: Acting<'_>, input: Input) -> Result<Output, Problem> {
    let UserId(id) = input.user_id;
    Client::of(&acting)?.update_user(&id, input.attributes.into_wire()).await?;
    Ok(Output { id })
}
