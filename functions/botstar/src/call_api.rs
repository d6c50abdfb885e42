//! `botstar.call-api`: any call of BotStar's API.

use crate::client::Client;
use connector::{ActionContext, Problem, action, call_api};

action! {
    platform: "botstar",
    name: "call-api",
    label: "Make an API Request",
    description: "Calls BotStar's API with the connection's token. An error answer is a problem with \
                  the unchanged answer in `answer`, up to 256 KB.",
    effect: OfMethod,
    input: call_api::Input,
    check: call_api::check,
    records: None,
    output: call_api::output_schema,
    run: run,
}

async fn run(context: ActionContext<'_>, input: call_api::Input) -> Result<call_api::Output, Problem> {
    call_api::run(&Client::of(&context)?.api, context.is_repeated, input).await
}
