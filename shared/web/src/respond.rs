//! Answers: the `http` crate's responses, with written bodies.

use crate::Problem;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

pub type Response = http::Response<Vec<u8>>;

/// Fields of an answer's log line, as an extension of the response.
#[derive(Debug, Clone, Default)]
pub struct Logged {
    pub outcome: Option<&'static str>,
    pub event: Option<String>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Response, Problem> {
    Ok(written_json(status, serde_json::to_vec(body).map_err(Problem::internal)?))
}

/// An answer of serialized JSON.
pub fn written_json(status: StatusCode, body: Vec<u8>) -> Response {
    with_type(status, JSON, body)
}

pub fn text(status: StatusCode, body: String) -> Response {
    with_type(status, TEXT, body.into_bytes())
}

pub fn ok<T: Serialize>(body: &T) -> Result<Response, Problem> {
    json(StatusCode::OK, body)
}

/// 200 for an event, whose id is logged.
pub fn of_event<T: Serialize>(event: impl ToString, body: &T) -> Result<Response, Problem> {
    Ok(logging_event(event, ok(body)?))
}

/// Adds the event's id to the log line of an answer.
pub fn logging_event(event: impl ToString, mut response: Response) -> Response {
    response.extensions_mut().insert(Logged { event: Some(event.to_string()), outcome: None });
    response
}

pub fn no_content() -> Response {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A body of another type, with its headers.
pub fn bytes(
    status: StatusCode,
    headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    body: Vec<u8>,
) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}

/// A page of a list.
pub fn page<T: Serialize>(items: Vec<T>, next: Option<String>) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Page<T> {
        items: Vec<T>,
        next: Option<String>,
    }
    ok(&Page { items, next })
}

pub(crate) fn problem(problem: &Problem, request_id: &str) -> Response {
    let mut response = with_type(problem.code.status(), PROBLEM_JSON, problem.to_json(request_id));
    let headers = response.headers_mut();
    for (name, value) in &problem.headers {
        headers.append(name, value.clone());
    }
    if let Some(seconds) = problem.retry.seconds() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response.extensions_mut().insert(Logged { outcome: Some(problem.code.as_str()), event: None });
    response
}

fn with_type(status: StatusCode, content_type: HeaderValue, body: Vec<u8>) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
