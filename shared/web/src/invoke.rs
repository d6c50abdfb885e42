//! Direct invocations: bare JSON in and out, without HTTP.

use crate::{
    Code, Function, Problem, Request, Response, Service,
    outcome::{log_cause, within_limit},
    request::{Context, Params},
    respond::Logged,
};
use bytes::Bytes;
use http::Method;
use std::time::Instant;

/// An error of a direct invocation: its code, and the problem as JSON.
#[derive(Debug)]
pub struct InvocationError {
    pub code: Code,
    pub problem: String,
}

impl InvocationError {
    pub fn new(problem: &Problem, request_id: &str) -> Self {
        let json = String::from_utf8_lossy(&problem.to_json(request_id)).into_owned();
        Self { code: problem.code, problem: json }
    }
}

/// Runs a function that is invoked without HTTP: bare JSON in and out. It logs one line, like a request.
pub async fn invoke<S: Service>(
    state: &S,
    function: &Function<S>,
    request_id: &str,
    input: Bytes,
) -> Result<Vec<u8>, InvocationError> {
    let (started, name) = (Instant::now(), function.name);
    let context = Context {
        request_id: request_id.to_owned(),
        now: state.now(),
        params: Params::new(),
        body_bytes: input.len() as u64,
    };
    let mut request = Request::new(input);
    *request.method_mut() = Method::POST;
    request.extensions_mut().insert(context);
    let result = match function.direct {
        Some(handler) => handler(state, request).await.and_then(within_limit),
        None => Err(Problem::new(Code::NotInvocable, format!("{name} can only be called over HTTP"))),
    };
    let outcome = result.as_ref().map_or_else(
        |problem| Some(problem.code.as_str()),
        |response| response.extensions().get().and_then(|logged: &Logged| logged.outcome),
    );
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request_id, function = name, route = "direct", outcome, duration_ms, "answered");
    result.map(Response::into_body).map_err(|problem| {
        log_cause(&problem, request_id, name);
        InvocationError::new(&problem, request_id)
    })
}
