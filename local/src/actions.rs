//! Actions in the same process, in place of invocations of Lambda functions.

use app::{
    App,
    actions::{ActionOutcome, Actions, Running},
};
use std::sync::Weak;
use web::{Problem, invoke};

/// The app's own actions. The reference is weak, because the app holds its actions.
#[derive(Clone)]
pub struct InProcess(pub Weak<App>);

impl Actions for InProcess {
    fn run<'a>(&'a self, action: &'a str, input: Vec<u8>) -> Running<'a> {
        Box::pin(async move {
            let name = action.replace('.', "-");
            let Some(function) = registry::functions().find(|function| function.name == name) else {
                return ActionOutcome::NotStarted(format!("unknown function {name}"));
            };
            let Some(app) = self.0.upgrade() else {
                return ActionOutcome::NotStarted("the process is ending".to_owned());
            };
            match invoke(&*app, function, "delivery", input.into()).await {
                Ok(output) => ActionOutcome::Done(output),
                Err(failed) => match Problem::from_json(failed.problem.as_bytes()) {
                    Some(problem) => ActionOutcome::Failed(problem),
                    None => ActionOutcome::Unknown("the action's problem can't be parsed".to_owned()),
                },
            }
        })
    }
}
