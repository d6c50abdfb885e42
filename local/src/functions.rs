//! Functions in the same process, in place of invocations of Lambda functions.

use app::{
    App,
    functions::{Functions, InvokeOutcome, Invoking},
};
use std::sync::Weak;
use web::{Problem, invoke};

/// The app's own functions. The reference is weak, because the app holds its functions.
#[derive(Clone)]
pub struct InProcess(pub Weak<App>);

impl Functions for InProcess {
    fn invoke<'a>(&'a self, name: &'a str, input: Vec<u8>) -> Invoking<'a> {
        Box::pin(async move {
            let Some(function) = catalog::functions().find(|function| function.name == name) else {
                return InvokeOutcome::NotStarted(format!("unknown function {name}"));
            };
            let Some(app) = self.0.upgrade() else {
                return InvokeOutcome::NotStarted("the process is ending".to_owned());
            };
            match invoke(&*app, function, "delivery", input.into()).await {
                Ok(output) => InvokeOutcome::Done(output),
                Err(failed) => match Problem::from_json(failed.problem.as_bytes()) {
                    Some(problem) => InvokeOutcome::Failed(problem),
                    None => InvokeOutcome::Unknown("the function's problem can't be parsed".to_owned()),
                },
            }
        })
    }
}
