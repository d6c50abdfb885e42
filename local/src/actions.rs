//! Actions in the same process, in place of invocations of Lambda functions.

use app::App;
use flow::deliver::actions::{ActionOutcome, Actions, Running};
use std::sync::Arc;
use web::{Problem, invoke};

pub struct InProcess(pub Arc<App>);

impl Actions for InProcess {
    fn run<'a>(&'a self, action: &'a str, input: Vec<u8>) -> Running<'a> {
        Box::pin(async move {
            let name = action.replace('.', "-");
            let Some(function) = registry::functions().find(|function| function.name == name) else {
                return ActionOutcome::NotStarted(format!("unknown function {name}"));
            };
            match invoke(&*self.0, function, "delivery", input.into()).await {
                Ok(output) => ActionOutcome::Done(output),
                Err(failed) => match Problem::from_json(failed.problem.as_bytes()) {
                    Some(problem) => ActionOutcome::Failed(problem),
                    None => ActionOutcome::Unknown("the action's problem can't be parsed".to_owned()),
                },
            }
        })
    }
}
