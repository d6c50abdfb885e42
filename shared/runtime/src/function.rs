//! Functions and their routes, stated once: the glue serves them, the OpenAPI document, the router of `cargo lambda
//! watch` and the template are held against them.

mod admission;

pub use admission::{Admission, ReceivedBody};

use crate::{App, Code, Problem, auth, auth::KnownKey, config::Setting, metrics::Metric, store::hooks::Hook};
use bytes::Bytes;
use data_encoding::BASE32_DNSSEC;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use models::Timestamp;
use schemars::Schema;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

/// One Lambda function.
#[derive(Debug)]
pub struct Function {
    /// The function, which is also the binary.
    pub name: &'static str,
    pub routes: &'static [Route],
    /// What bare JSON is handed to, when the function is invoked without HTTP. IAM says who may.
    pub direct: Option<Handler>,
    /// The settings of platforms that it reads.
    pub settings: fn() -> Vec<&'static Setting>,
}

/// What the paths of webhooks begin with.
const HOOKS: &str = "/hooks/";

impl Function {
    /// Whether it is a trigger's.
    pub fn takes_webhooks(&self) -> bool {
        self.routes.iter().any(Route::is_webhook)
    }
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone: what the route needs is in the route.
    Public,
    /// A key whose scope reaches this far.
    Key(auth::Scope),
}

pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send + 'a>>;

pub type Handler = for<'a> fn(&'a App, Call) -> Handling<'a>;

/// One method on one path.
#[derive(Debug)]
pub struct Route {
    pub method: Method,
    /// As API Gateway writes it: `/v1/hooks/{id}`.
    pub path: &'static str,
    pub access: Access,
    pub summary: &'static str,
    pub query: &'static [Query],
    pub body: Body,
    /// The status of success, and what is then answered.
    pub success: (StatusCode, Option<fn() -> Schema>),
    pub handler: Handler,
}

impl Route {
    fn is_webhook(&self) -> bool {
        self.path.starts_with(HOOKS)
    }

    /// The fallback route for a hook path's other methods, so that a webhook sent by the wrong method is kept.
    fn is_probe(&self) -> bool {
        self.is_webhook() && self.method == Method::GET
    }
}

/// What a route takes as its body, by JSON Schema.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    None,
    /// None at all counts as `{}`.
    Optional(fn() -> Schema),
    Required(fn() -> Schema),
}

/// A query parameter.
#[derive(Debug)]
pub struct Query {
    pub name: &'static str,
    pub description: &'static str,
    pub value: QueryValue,
}

/// The values of a query parameter, as the OpenAPI document states them. An empty value is refused.
#[derive(Debug, Clone, Copy)]
pub enum QueryValue {
    Text,
    /// An id, by its regular expression.
    Id(&'static str),
    OneOf(&'static [&'static str]),
    Time,
    /// Items of a page.
    Limit,
    /// Position in a list.
    Cursor,
    /// A multiple of the first number, at most the second.
    Multiple(u64, u64),
}

/// A request on its way to a handler.
#[derive(Debug)]
pub struct Call {
    pub request_id: String,
    pub now: Timestamp,
    /// POST for a direct invocation.
    pub method: Method,
    pub params: BTreeMap<String, String>,
    pub query: String,
    pub headers: HeaderMap,
    /// Empty if the body is larger than the route may take.
    pub body: Bytes,
    /// The body's length as it was sent.
    pub body_bytes: u64,
    /// Set on routes that ask for a key.
    pub key: Option<KnownKey>,
    /// Set on routes of webhooks: the hook that the token opens.
    pub hook: Option<Arc<Hook>>,
}

impl Call {
    /// A path parameter.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A path parameter that is an id: a text that is none is not found, like an id of nothing.
    pub fn id<T: std::str::FromStr>(&self, what: &str) -> Result<T, Problem> {
        self.param("id").parse().map_err(|_| Problem::not_found(what))
    }

    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Vec<u8>,
    /// What is logged of it besides: the outcome of a webhook, and the event's id.
    pub outcome: Option<&'static str>,
    pub event: Option<String>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Reply {
    pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Self, Problem> {
        Ok(Self::written_json(status, serde_json::to_vec(body).map_err(Problem::internal)?))
    }

    /// JSON that is written already.
    pub fn written_json(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, headers: vec![(header::CONTENT_TYPE, JSON)], body, outcome: None, event: None }
    }

    pub fn text(status: StatusCode, body: String) -> Self {
        let plain = (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        Self { status, headers: vec![plain], body: body.into_bytes(), outcome: None, event: None }
    }

    pub fn ok<T: Serialize>(body: &T) -> Result<Self, Problem> {
        Self::json(StatusCode::OK, body)
    }

    pub const fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: Vec::new(), body: Vec::new(), outcome: None, event: None }
    }

    /// A page of a list.
    pub fn page<T: Serialize>(items: Vec<T>, next: Option<String>) -> Result<Self, Problem> {
        #[derive(Serialize)]
        struct Page<T> {
            items: Vec<T>,
            next: Option<String>,
        }
        Self::ok(&Page { items, next })
    }

    fn problem(problem: &Problem, request_id: &str) -> Self {
        let mut headers = vec![(header::CONTENT_TYPE, PROBLEM_JSON)];
        headers.extend(problem.headers.iter().cloned());
        headers.extend(problem.retry.seconds().map(|seconds| (header::RETRY_AFTER, seconds.into())));
        let body = problem.to_json(request_id);
        Self { status: problem.code.status(), headers, body, outcome: Some(problem.code.as_str()), event: None }
    }
}

/// A request as a door hands it in.
pub struct Request {
    pub request_id: Option<String>,
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    /// As an HTTP server has it before the body is read.
    pub fn received(parts: Parts) -> Self {
        Self {
            request_id: None,
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: Bytes::new(),
        }
    }
}

/// The routes of one or more functions, ready to be called. Lambda serves one function's, `local` all.
pub struct Router {
    paths: matchit::Router<Vec<(&'static Function, &'static Route)>>,
}

/// The most that an API call's body may have. Webhooks have a limit of their own.
const MAX_API_BODY_BYTES: u64 = 1024 * 1024;
/// The most that an answer may have, behind every door: Lambda hands on 6 MB, in base64 if need be.
pub const MAX_ANSWER_BYTES: usize = 4_500_000;

impl Router {
    pub fn new(functions: &[&'static Function]) -> Result<Self, matchit::InsertError> {
        let mut by_path: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for function in functions {
            for route in function.routes {
                by_path.entry(route.path).or_default().push((*function, route));
            }
        }
        let mut paths = matchit::Router::new();
        for (path, routes) in by_path {
            paths.insert(path, routes)?;
        }
        Ok(Self { paths })
    }

    /// Answers a request, whatever comes of it, and logs it in one line.
    pub async fn answer(&self, app: &App, mut request: Request) -> Response<Vec<u8>> {
        let body = ReceivedBody::whole(mem::take(&mut request.body));
        self.admit(app, request).await.answer(app, Ok(body)).await
    }

    fn find(
        &self,
        method: &Method,
        path: &str,
    ) -> Result<(&'static Function, &'static Route, BTreeMap<String, String>), Problem> {
        let matched = self.paths.at(path).map_err(|_| Problem::not_found("route"))?;
        let exact = matched.value.iter().find(|(_, route)| route.method == *method);
        let found = exact.or_else(|| matched.value.iter().find(|(_, route)| route.is_probe()));
        let (function, route) = found.ok_or_else(|| {
            let allowed: Vec<&str> = matched.value.iter().map(|(_, route)| route.method.as_str()).collect();
            let problem = Problem::new(Code::MethodNotAllowed, format!("this route takes {}", allowed.join(", ")));
            match HeaderValue::from_str(&allowed.join(", ")) {
                Ok(allow) => problem.with_header(header::ALLOW, allow),
                Err(_) => problem,
            }
        })?;
        let params = matched.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok((function, route, params))
    }
}

/// Counts a call of a webhook as it was answered.
pub(crate) fn count_webhook(app: &App, status: StatusCode, elapsed: Duration) {
    if status.is_client_error() {
        app.metrics.count(Metric::Rejected);
    }
    app.metrics.time(Metric::Latency, u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
}

/// An error of a direct invocation: its code, and the problem as JSON.
#[derive(Debug)]
pub struct Failed {
    pub code: Code,
    pub problem: String,
}

impl Failed {
    pub fn new(problem: &Problem, request_id: &str) -> Self {
        let json = String::from_utf8_lossy(&problem.to_json(request_id)).into_owned();
        Self { code: problem.code, problem: json }
    }
}

/// Runs a function that is invoked without HTTP: bare JSON in and out. Logged in one line, as a request is.
pub async fn invoke(app: &App, function: &Function, request_id: &str, input: Bytes) -> Result<Vec<u8>, Failed> {
    let (started, name) = (Instant::now(), function.name);
    let call = Call {
        request_id: request_id.to_owned(),
        now: app.now(),
        method: Method::POST,
        params: BTreeMap::new(),
        query: String::new(),
        headers: HeaderMap::new(),
        body_bytes: input.len() as u64,
        body: input,
        key: None,
        hook: None,
    };
    let result = match function.direct {
        Some(handler) => handler(app, call).await.and_then(handed_on),
        None => Err(Problem::new(Code::NotInvocable, format!("{name} is called over HTTP"))),
    };
    let outcome = result.as_ref().map_or_else(|problem| Some(problem.code.as_str()), |reply| reply.outcome);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request_id, function = name, route = "direct", outcome, duration_ms, "answered");
    result.map(|reply| reply.body).map_err(|problem| {
        log_cause(&problem, request_id, name);
        Failed::new(&problem, request_id)
    })
}

/// What is done is done, so its repetition would be answered the same.
fn handed_on(reply: Reply) -> Result<Reply, Problem> {
    if reply.body.len() <= MAX_ANSWER_BYTES {
        return Ok(reply);
    }
    Err(Problem::new(Code::AnswerTooLarge, "it was done, but its answer has more than 4.5 MB"))
}

fn log_cause(problem: &Problem, request_id: &str, function: &str) {
    if problem.source.is_some() {
        tracing::error!(request_id, function, code = problem.code.as_str(), cause = problem.causes(), "failed");
    }
}

/// Answers what never became a request.
pub fn refuse(problem: &Problem) -> Response<Vec<u8>> {
    let request_id = new_request_id();
    let (status, outcome) = (problem.code.status().as_u16(), problem.code.as_str());
    tracing::info!(request_id, status, outcome, "refused");
    respond(Reply::problem(problem, &request_id), &request_id)
}

fn respond(reply: Reply, request_id: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(reply.body);
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    // An answer may hold a secret or personal data, and texts of strangers: it is kept nowhere and taken for no page.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.extend(reply.headers.into_iter().map(|(name, value)| (Some(name), value)));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

fn new_request_id() -> String {
    // Only names a line in the log: without randomness a request can still be answered.
    format!("req_{}", BASE32_DNSSEC.encode(&crate::clock::random::<10>().unwrap_or_default()))
}
