//! Invocation of functions with JSON. Each action runs in its own Lambda function, so that its callers have no access to
//! platforms' credentials. An operation of the API runs in the API's own function if its caller lacks its rights or code.

use aws::{INVOKE_ATTEMPT_TIMEOUT, with_attempt_timeout};
use aws_sdk_lambda::{
    error::{ProvideErrorMetadata as _, SdkError},
    operation::invoke::InvokeError,
    primitives::Blob,
};
use aws_types::SdkConfig;
use serde::Deserialize;
use std::{collections::BTreeMap, pin::Pin};
use web::Problem;

/// Outcome of invoking a function.
pub enum InvokeOutcome {
    Done(Vec<u8>),
    Failed(Problem),
    /// It was not started, for this reason.
    NotStarted(String),
    /// It may have been done. The text is the reason why that is unknown.
    Unknown(String),
}

pub type Invoking<'a> = Pin<Box<dyn Future<Output = InvokeOutcome> + Send + 'a>>;

/// Functions that take JSON: Lambda functions on AWS, in the same process on a laptop.
pub trait Functions: Send + Sync {
    /// Invokes a function by its name, with its input as JSON.
    fn invoke<'a>(&'a self, function: &'a str, input: Vec<u8>) -> Invoking<'a>;
}

/// The name of an action's function.
pub fn function_of(action: &str) -> String {
    action.replace('.', "-")
}

/// Lambda functions.
pub struct LambdaFunctions {
    pub client: aws_sdk_lambda::Client,
    /// Prefix of the names of all but the named ones.
    pub prefix: String,
    pub named: BTreeMap<&'static str, String>,
}

/// A function's error, as Lambda serializes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionError {
    error_message: String,
}

impl LambdaFunctions {
    pub fn new(sdk: &SdkConfig, prefix: &str, named: &BTreeMap<&'static str, String>) -> Self {
        let waiting = with_attempt_timeout(sdk, INVOKE_ATTEMPT_TIMEOUT);
        let client = aws_sdk_lambda::Client::new(&waiting);
        Self { client, prefix: prefix.to_owned(), named: named.clone() }
    }
}

impl Functions for LambdaFunctions {
    fn invoke<'a>(&'a self, function: &'a str, input: Vec<u8>) -> Invoking<'a> {
        Box::pin(async move {
            let name = self.named.get(function).cloned().unwrap_or_else(|| format!("{}{function}", self.prefix));
            match self.client.invoke().function_name(name).payload(Blob::new(input)).send().await {
                Ok(answer) => {
                    let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
                    if answer.function_error.is_none() { InvokeOutcome::Done(payload) } else { failed(&payload) }
                }
                Err(error) => not_invoked(&error),
            }
        })
    }
}

/// The outcome of a function that returned a problem, or ended without an answer.
fn failed(payload: &[u8]) -> InvokeOutcome {
    let error: Option<FunctionError> = serde_json::from_slice(payload).ok();
    match error.and_then(|error| Problem::from_json(error.error_message.as_bytes())) {
        Some(problem) => InvokeOutcome::Failed(problem),
        None => InvokeOutcome::Unknown("the function ended without an answer".to_owned()),
    }
}

fn not_invoked(error: &SdkError<InvokeError>) -> InvokeOutcome {
    match error {
        // Throttled, or the deployment is incomplete.
        SdkError::ServiceError(refused) => InvokeOutcome::NotStarted(format!(
            "Lambda did not run the function: {}",
            refused.err().code().unwrap_or("unknown")
        )),
        SdkError::ConstructionFailure(_) => InvokeOutcome::NotStarted("the function could not be invoked".to_owned()),
        _ => InvokeOutcome::Unknown("the answer of the function was lost".to_owned()),
    }
}
