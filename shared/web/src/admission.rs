//! Admission: a request's route, and its key or hook token, are checked before the body is read.

use crate::{
    Code, MAX_API_BODY_BYTES, MAX_WEBHOOK_BODY_BYTES, Problem, Request, Response, Router, Service,
    input::check_query,
    outcome::{AnswerLog, finish, log_cause, new_request_id, within_limit},
    request::{Context, Params, RequestId},
    respond,
    router::Endpoint,
};
use bytes::Bytes;
use http::{Extensions, Method, request::Parts};
use std::{
    mem,
    time::{Duration, Instant},
};

/// A request whose body was not read yet, with the verdict so far.
pub struct Admission<S: 'static> {
    request_id: String,
    parts: Parts,
    endpoint: Option<Endpoint<S>>,
    verdict: Result<Admitted, Problem>,
    /// Duration of the check.
    spent: Duration,
}

struct Admitted {
    params: Params,
    found: Extensions,
}

/// A completely received body.
pub struct ReceivedBody {
    /// Empty if the body is larger than [`Admission::max_body_bytes`].
    pub kept: Bytes,
    /// The length as it was sent.
    pub length: u64,
}

impl ReceivedBody {
    pub const fn whole(kept: Bytes) -> Self {
        Self { length: kept.len() as u64, kept }
    }
}

impl<S: Service> Router<S> {
    /// Answers a request in every case, with the one line for the log.
    pub async fn answer(&self, state: &S, mut request: Request) -> (Response, AnswerLog) {
        let body = ReceivedBody::whole(mem::take(request.body_mut()));
        let (parts, _) = request.into_parts();
        self.admit(state, parts).await.answer(state, Ok(body)).await
    }

    /// Finds the route, and checks the key or the hook's token.
    pub async fn admit(&self, state: &S, mut parts: Parts) -> Admission<S> {
        let started = Instant::now();
        let request_id = parts.extensions.remove().map_or_else(new_request_id, |RequestId(id)| id);
        let (endpoint, verdict) = match self.find(&parts.method, parts.uri.path()) {
            Ok((endpoint, params)) => {
                let found = state.authorize(endpoint.route.access, &params, &parts.headers).await;
                (Some(endpoint), found.map(|found| Admitted { params, found }))
            }
            Err(problem) => (None, Err(problem)),
        };
        Admission { request_id, parts, endpoint, verdict, spent: started.elapsed() }
    }
}

impl<S: Service> Admission<S> {
    /// True if the request is rejected, whatever its body is.
    pub const fn is_refused(&self) -> bool {
        self.verdict.is_err()
    }

    /// True if the route is a hook's.
    pub fn is_webhook(&self) -> bool {
        self.endpoint.is_some_and(|endpoint| endpoint.route.is_webhook())
    }

    /// Largest body that the answer depends on, in bytes.
    pub fn max_body_bytes(&self) -> u64 {
        match &self.endpoint {
            _ if self.is_refused() => 0,
            _ if self.is_webhook() => MAX_WEBHOOK_BODY_BYTES as u64,
            _ => MAX_API_BODY_BYTES as u64,
        }
    }

    /// Answers the request in every case, with the one line for the log. A rejection takes precedence over a fault of the
    /// body.
    pub async fn answer(self, state: &S, body: Result<ReceivedBody, Problem>) -> (Response, AnswerLog) {
        let started = Instant::now();
        let Self { request_id, parts, endpoint, verdict, spent } = self;
        let is_head = parts.method == Method::HEAD;
        let compressor = endpoint.and_then(|endpoint| endpoint.route.compress);
        let encode = compressor.map(|compressor| compressor(&parts.headers));
        let result = match (verdict, body, endpoint) {
            (Ok(admitted), Ok(body), Some(endpoint)) => call(state, endpoint, admitted, parts, body, &request_id).await,
            (Ok(_), Ok(_), None) => Err(Problem::not_found("route")),
            (Err(problem), ..) | (_, Err(problem), _) => Err(problem),
        };
        let mut response = result.and_then(within_limit).unwrap_or_else(|problem| {
            log_cause(&problem, &request_id, endpoint.map_or("-", |endpoint| endpoint.function.name));
            respond::problem(&problem, &request_id)
        });
        if is_head {
            response.body_mut().clear();
        }
        if let Some(encode) = encode {
            response = encode(response);
        }
        let elapsed = spent + started.elapsed();
        let mut response = finish(response, &request_id);
        let route = endpoint.map(|endpoint| endpoint.route);
        let log = AnswerLog::new(request_id, route, &mut response, elapsed);
        if log.is_webhook {
            state.count_webhook(response.status(), elapsed);
        }
        (response, log)
    }
}

async fn call<S: Service>(
    state: &S,
    Endpoint { route, .. }: Endpoint<S>,
    Admitted { params, found }: Admitted,
    parts: Parts,
    ReceivedBody { kept, length }: ReceivedBody,
    request_id: &str,
) -> Result<Response, Problem> {
    // A platform may add any query to a hook's URL.
    if !route.is_webhook() {
        if length > MAX_API_BODY_BYTES as u64 {
            return Err(Problem::new(Code::BodyTooLarge, "the body must have at most 1 MB"));
        }
        check_query(parts.uri.query().unwrap_or_default(), route.query)?;
    }
    let mut request = Request::from_parts(parts, kept);
    let extensions = request.extensions_mut();
    extensions.extend(found);
    extensions.insert(Context { request_id: request_id.to_owned(), now: state.now(), params, body_bytes: length });
    (route.handler)(state, request).await
}
