//! Invocation of actions. Each action runs in its own Lambda function, so that its callers have no access to platforms'
//! credentials.

use aws::{INVOKE_ATTEMPT_TIMEOUT, with_attempt_timeout};
use aws_sdk_lambda::{
    error::{ProvideErrorMetadata as _, SdkError},
    operation::invoke::InvokeError,
    primitives::Blob,
};
use aws_types::SdkConfig;
use serde::Deserialize;
use std::pin::Pin;
use web::Problem;

/// Outcome of running an action.
pub enum ActionOutcome {
    Done(Vec<u8>),
    Failed(Problem),
    /// It was not started, for this reason.
    NotStarted(String),
    /// It may have been done. The text is the reason why that is unknown.
    Unknown(String),
}

pub type Running<'a> = Pin<Box<dyn Future<Output = ActionOutcome> + Send + 'a>>;

/// Runs actions: through their Lambda functions on AWS, in the same process on a laptop.
pub trait Actions: Send + Sync {
    /// Runs an action by its name, with its input as JSON.
    fn run<'a>(&'a self, action: &'a str, input: Vec<u8>) -> Running<'a>;
}

/// The actions' Lambda functions. Each is named like its action, after a prefix.
pub struct Functions {
    pub client: aws_sdk_lambda::Client,
    pub prefix: String,
}

/// A function's error, as Lambda serializes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionError {
    error_message: String,
}

impl Functions {
    pub fn new(sdk: &SdkConfig, prefix: &str) -> Self {
        let waiting = with_attempt_timeout(sdk, INVOKE_ATTEMPT_TIMEOUT);
        Self { client: aws_sdk_lambda::Client::new(&waiting), prefix: prefix.to_owned() }
    }
}

impl Actions for Functions {
    fn run<'a>(&'a self, action: &'a str, input: Vec<u8>) -> Running<'a> {
        Box::pin(async move {
            let name = format!("{}{}", self.prefix, action.replace('.', "-"));
            match self.client.invoke().function_name(name).payload(Blob::new(input)).send().await {
                Ok(answer) => {
                    let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
                    if answer.function_error.is_none() { ActionOutcome::Done(payload) } else { failed(&payload) }
                }
                Err(error) => not_invoked(&error),
            }
        })
    }
}

/// The outcome of a function that returned a problem, or ended without an answer.
fn failed(payload: &[u8]) -> ActionOutcome {
    let error: Option<FunctionError> = serde_json::from_slice(payload).ok();
    match error.and_then(|error| Problem::from_json(error.error_message.as_bytes())) {
        Some(problem) => ActionOutcome::Failed(problem),
        None => ActionOutcome::Unknown("the action's function ended without an answer".to_owned()),
    }
}

fn not_invoked(error: &SdkError<InvokeError>) -> ActionOutcome {
    match error {
        // Throttled, or the deployment is incomplete.
        SdkError::ServiceError(refused) => ActionOutcome::NotStarted(format!(
            "Lambda did not run the action: {}",
            refused.err().code().unwrap_or("unknown")
        )),
        SdkError::ConstructionFailure(_) => ActionOutcome::NotStarted("the action could not be invoked".to_owned()),
        _ => ActionOutcome::Unknown("the answer of the action's function was lost".to_owned()),
    }
}
