//! End of a call: size limit, log, and headers of its answer.

use crate::{
    Code, MAX_ANSWER_BYTES, Problem, REQUEST_ID, Response, Route,
    respond::{self, Logged},
};
use data_encoding::BASE32_DNSSEC;
use http::{HeaderValue, header};
use models::clock::random;
use serde::Serialize;
use std::time::Duration;

/// Rejects an answer that is too large. The call itself was done.
pub(crate) fn within_limit(response: Response) -> Result<Response, Problem> {
    if response.body().len() <= MAX_ANSWER_BYTES {
        return Ok(response);
    }
    Err(Problem::new(Code::AnswerTooLarge, "the call was done, but its answer has more than 4.5 MB"))
}

/// The log line of an answer.
#[derive(Debug, Serialize)]
pub struct AnswerLog {
    message: &'static str,
    request_id: String,
    /// Method of the route. A trigger's function has one path.
    method: &'static str,
    #[serde(skip)]
    path: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip)]
    duration_ms: u64,
    #[serde(skip)]
    pub is_webhook: bool,
}

impl AnswerLog {
    pub(crate) fn new<S>(
        request_id: String,
        route: Option<&Route<S>>,
        response: &mut Response,
        elapsed: Duration,
    ) -> Self {
        let Logged { outcome, event } = response.extensions_mut().remove().unwrap_or_default();
        Self {
            message: "answered",
            request_id,
            method: route.map_or("-", |route| route.method),
            path: route.map_or("", |route| route.path),
            status: response.status().as_u16(),
            outcome,
            event,
            duration_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            is_webhook: route.is_some_and(Route::is_webhook),
        }
    }

    pub fn write(self) {
        let Self { message, request_id, method, path, status, outcome, event, duration_ms, .. } = self;
        let route = format!("{method} {path}");
        tracing::info!(request_id, route = route.trim_end(), status, outcome, event, duration_ms, "{message}");
    }
}

pub fn log_cause(problem: &Problem, request_id: &str, function: &str) {
    if problem.source.is_some() {
        tracing::error!(request_id, function, code = problem.code.as_str(), cause = problem.causes(), "failed");
    }
}

/// Answers an invocation that could not be parsed as a request.
pub fn refuse(problem: &Problem) -> Response {
    let request_id = new_request_id();
    let (status, outcome) = (problem.code.status().as_u16(), problem.code.as_str());
    tracing::info!(request_id, status, outcome, "refused");
    finish(respond::problem(problem, &request_id), &request_id)
}

/// Sets the headers of all answers.
pub(crate) fn finish(mut response: Response, request_id: &str) -> Response {
    let headers = response.headers_mut();
    // An answer may hold secrets, personal data or untrusted texts: no cache may store it, and no browser may render it
    // as a page.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// A new request id. Without random bytes a request can still be answered.
pub(crate) fn new_request_id() -> String {
    format!("req_{}", BASE32_DNSSEC.encode(&random::<10>().unwrap_or_default()))
}
