//! The routes of one or more functions, ready to be called. Lambda serves one function's routes, `local` all.

use crate::{
    Access, Code, Function, MAX_ANSWER_BYTES, Problem, REQUEST_ID, Request, Response, Route,
    admission::ReceivedBody,
    request::{Context, Params},
    respond::{self, Logged},
};
use bytes::Bytes;
use data_encoding::BASE32_DNSSEC;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use models::{Timestamp, clock::random};
use std::{
    collections::BTreeMap,
    future::Future,
    mem,
    time::{Duration, Instant},
};

/// The state that the handlers share, with the checks before them.
pub trait Service: Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// Checks the right that a route asks for. The result goes to the handler as the request's extensions.
    fn authorize(
        &self,
        access: Access,
        params: &Params,
        headers: &HeaderMap,
    ) -> impl Future<Output = Result<Extensions, Problem>> + Send;

    /// Counts the answer to a webhook.
    fn count_webhook(&self, status: StatusCode, elapsed: Duration);
}

pub struct Router<S: 'static> {
    paths: matchit::Router<Vec<Endpoint<S>>>,
}

/// A route with its function.
pub(crate) struct Endpoint<S: 'static> {
    pub function: &'static Function<S>,
    pub route: &'static Route<S>,
}

impl<S> Clone for Endpoint<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Endpoint<S> {}

impl<S: Service> Router<S> {
    pub fn new(functions: &[&'static Function<S>]) -> Result<Self, matchit::InsertError> {
        let mut by_path: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for function in functions {
            for route in function.routes {
                by_path.entry(route.path).or_default().push(Endpoint { function, route });
            }
        }
        let mut paths = matchit::Router::new();
        for (path, endpoints) in by_path {
            paths.insert(path, endpoints)?;
        }
        Ok(Self { paths })
    }

    /// Answers a request in every case, and logs it in one line.
    pub async fn answer(&self, state: &S, mut request: Request) -> Response {
        let body = ReceivedBody::whole(mem::take(request.body_mut()));
        let (parts, _) = request.into_parts();
        self.admit(state, parts).await.answer(state, Ok(body)).await
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<(Endpoint<S>, Params), Problem> {
        let matched = self.paths.at(path).map_err(|_| Problem::not_found("route"))?;
        let exact = matched.value.iter().find(|endpoint| endpoint.route.method == *method);
        let found = exact.or_else(|| matched.value.iter().find(|endpoint| endpoint.route.is_probe()));
        let endpoint = found.ok_or_else(|| {
            let allowed: Vec<&str> = matched.value.iter().map(|endpoint| endpoint.route.method.as_str()).collect();
            let allowed = allowed.join(", ");
            let problem = Problem::new(Code::MethodNotAllowed, format!("this route takes {allowed}"));
            match HeaderValue::from_str(&allowed) {
                Ok(allow) => problem.with_header(header::ALLOW, allow),
                Err(_) => problem,
            }
        })?;
        let params = matched.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok((*endpoint, params))
    }
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

/// Runs a function that is invoked without HTTP: bare JSON in and out. It is logged in one line, like a request.
pub async fn invoke<S: Service>(
    state: &S,
    function: &Function<S>,
    request_id: &str,
    input: Bytes,
) -> Result<Vec<u8>, Failed> {
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
        None => Err(Problem::new(Code::NotInvocable, format!("{name} is called over HTTP"))),
    };
    let outcome = result.as_ref().map_or_else(
        |problem| Some(problem.code.as_str()),
        |response| response.extensions().get().and_then(|logged: &Logged| logged.outcome),
    );
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request_id, function = name, route = "direct", outcome, duration_ms, "answered");
    result.map(Response::into_body).map_err(|problem| {
        log_cause(&problem, request_id, name);
        Failed::new(&problem, request_id)
    })
}

/// Refuses an answer that is too large. The call itself is done.
pub(crate) fn within_limit(response: Response) -> Result<Response, Problem> {
    if response.body().len() <= MAX_ANSWER_BYTES {
        return Ok(response);
    }
    Err(Problem::new(Code::AnswerTooLarge, "it was done, but its answer has more than 4.5 MB"))
}

pub(crate) fn log_cause(problem: &Problem, request_id: &str, function: &str) {
    if problem.source.is_some() {
        tracing::error!(request_id, function, code = problem.code.as_str(), cause = problem.causes(), "failed");
    }
}

/// Answers an invocation that could not be read as a request.
pub fn refuse(problem: &Problem) -> Response {
    let request_id = new_request_id();
    let (status, outcome) = (problem.code.status().as_u16(), problem.code.as_str());
    tracing::info!(request_id, status, outcome, "refused");
    finish(respond::problem(problem, &request_id), &request_id)
}

/// Sets the headers of every answer.
pub(crate) fn finish(mut response: Response, request_id: &str) -> Response {
    let headers = response.headers_mut();
    // An answer may hold a secret, personal data, or texts of strangers: no cache may keep it, and no browser may guess
    // that it is a page.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// A new id for the log. Without randomness a request can still be answered.
pub(crate) fn new_request_id() -> String {
    format!("req_{}", BASE32_DNSSEC.encode(&random::<10>().unwrap_or_default()))
}
