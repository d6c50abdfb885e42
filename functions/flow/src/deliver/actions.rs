//! Running an action: by invoking its own Lambda function, so that delivering holds no platform's credentials.

use aws_sdk_lambda::{
    error::{ProvideErrorMetadata as _, SdkError},
    operation::invoke::InvokeError,
    primitives::Blob,
};
use models::Fault;
use serde::Deserialize;
use std::pin::Pin;
use web::Problem;

/// What came of running an action.
pub enum Ran {
    Done(Vec<u8>),
    Failed(Problem),
    /// It was not begun, in words why.
    NotBegun(String),
    /// It may have been done, in words why that is not known.
    Unknown(String),
}

pub type Running<'a> = Pin<Box<dyn Future<Output = Ran> + Send + 'a>>;

/// The actions' functions on AWS; in the process on a laptop.
pub trait Actions: Send + Sync {
    /// Runs an action by its name, with its input as JSON.
    fn run<'a>(&'a self, action: &'a str, input: Vec<u8>) -> Running<'a>;
}

/// The actions' Lambda functions, which are named as the actions after a prefix.
pub struct Functions {
    pub client: aws_sdk_lambda::Client,
    pub prefix: String,
}

/// An error of a function, as Lambda writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionError {
    error_message: String,
}

impl Actions for Functions {
    fn run<'a>(&'a self, action: &'a str, input: Vec<u8>) -> Running<'a> {
        Box::pin(async move {
            let name = format!("{}{}", self.prefix, action.replace('.', "-"));
            match self.client.invoke().function_name(name).payload(Blob::new(input)).send().await {
                Ok(answer) => {
                    let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
                    if answer.function_error.is_none() { Ran::Done(payload) } else { failed(&payload) }
                }
                Err(error) => not_invoked(&error),
            }
        })
    }
}

/// A function that answered an error of ours, or else ended without an answer.
fn failed(payload: &[u8]) -> Ran {
    let error: Option<FunctionError> = serde_json::from_slice(payload).ok();
    match error.and_then(|error| Problem::from_json(error.error_message.as_bytes())) {
        Some(problem) => Ran::Failed(problem),
        None => Ran::Unknown("the action's function ended without an answer".to_owned()),
    }
}

fn not_invoked(error: &SdkError<InvokeError>) -> Ran {
    match error {
        // Too many at once, or a deployment that is not whole.
        SdkError::ServiceError(refused) => {
            Ran::NotBegun(format!("Lambda did not run the action: {}", refused.err().code().unwrap_or("unknown")))
        }
        SdkError::ConstructionFailure(_) => Ran::NotBegun("the action could not be invoked".to_owned()),
        _ => Ran::Unknown("the answer of the action's function was lost".to_owned()),
    }
}

/// What a problem says, for who reads the attempts. Its detail has no faults if there are several.
pub fn words(problem: &Problem) -> String {
    let several = if problem.errors.len() > 1 { problem.errors.as_slice() } else { &[] };
    let faults = several.iter().map(|Fault { pointer, detail }| format!("; {pointer}: {detail}"));
    format!("{}: {}{}", problem.code.as_str(), problem.detail, faults.collect::<String>())
}
