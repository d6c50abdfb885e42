//! Functions, run in the process.

use app::{
    App,
    functions::{Functions, InvokeOutcome, Invoking},
};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tests::Bundle;
use web::{Problem, invoke};

#[derive(Clone)]
pub struct InProcess {
    app: Arc<App>,
    inputs: Arc<Mutex<Vec<Value>>>,
}

impl InProcess {
    pub fn of(bundle: &Bundle) -> Self {
        Self { app: Arc::clone(&bundle.local.app), inputs: Arc::default() }
    }

    /// Inputs of the functions that were invoked since the last call.
    pub fn inputs(&self) -> Vec<Value> {
        std::mem::take(&mut *self.inputs.lock().unwrap())
    }
}

impl Functions for InProcess {
    fn invoke<'a>(&'a self, name: &'a str, input: Vec<u8>) -> Invoking<'a> {
        self.inputs.lock().unwrap().push(serde_json::from_slice(&input).unwrap());
        Box::pin(async move {
            let function = registry::functions().find(|function| function.name == name).unwrap();
            match invoke(&*self.app, function, "delivery", input.into()).await {
                Ok(output) => InvokeOutcome::Done(output),
                Err(failed) => InvokeOutcome::Failed(Problem::from_json(failed.problem.as_bytes()).unwrap()),
            }
        })
    }
}
