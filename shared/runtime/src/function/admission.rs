//! Admission: a request's route, and the key or hook token that opens it, checked before a body is read.

use super::{
    Access, Call, Function, MAX_API_BODY_BYTES, Reply, Request, Route, Router, count_webhook, handed_on, log_cause,
    new_request_id, respond,
};
use crate::{App, Code, Problem, auth, auth::KnownKey, input::check_query, receive, store::hooks::Hook};
use bytes::Bytes;
use http::{Method, Response};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// A request whose body is still to come, and the verdict on it so far.
pub struct Admission {
    request_id: String,
    request: Request,
    route: Option<(&'static Function, &'static Route)>,
    verdict: Result<Admitted, Problem>,
    /// The time that the check took.
    spent: Duration,
}

struct Admitted {
    route: &'static Route,
    params: BTreeMap<String, String>,
    key: Option<KnownKey>,
    hook: Option<Arc<Hook>>,
}

/// A body that has arrived whole.
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

impl Router {
    /// Finds the route, and checks the key or the hook's token. The request's own `body` is not looked at.
    pub async fn admit(&self, app: &App, mut request: Request) -> Admission {
        let started = Instant::now();
        let request_id = request.request_id.take().unwrap_or_else(new_request_id);
        let (route, verdict) = match self.find(&request.method, &request.path) {
            Ok((function, route, params)) => (Some((function, route)), check(app, route, params, &request).await),
            Err(problem) => (None, Err(problem)),
        };
        Admission { request_id, request, route, verdict, spent: started.elapsed() }
    }
}

async fn check(
    app: &App,
    route: &'static Route,
    params: BTreeMap<String, String>,
    request: &Request,
) -> Result<Admitted, Problem> {
    let now = app.now();
    let key = match route.access {
        Access::Public => None,
        Access::Key(scope) => Some(auth::authorize(app, &request.headers, scope, now).await?),
    };
    let hook = match params.get("token").filter(|_| route.is_webhook()) {
        Some(token) => Some(receive::open(app, token, now).await?),
        None => None,
    };
    Ok(Admitted { route, params, key, hook })
}

impl Admission {
    /// Whether the answer is a refusal, whatever the body is.
    pub const fn is_refused(&self) -> bool {
        self.verdict.is_err()
    }

    /// The most bytes of the body that the answer needs.
    pub fn max_body_bytes(&self) -> u64 {
        match &self.verdict {
            Ok(admitted) if admitted.route.is_webhook() => receive::MAX_BODY_BYTES as u64,
            Ok(_) => MAX_API_BODY_BYTES,
            Err(_) => 0,
        }
    }

    /// Answers the request, whatever comes of it, and logs it in one line. A refusal goes before a fault of the body.
    pub async fn answer(self, app: &App, body: Result<ReceivedBody, Problem>) -> Response<Vec<u8>> {
        let started = Instant::now();
        let Self { request_id, request, route, verdict, spent } = self;
        let is_head = request.method == Method::HEAD;
        let result = match (verdict, body) {
            (Ok(admitted), Ok(body)) => call(app, admitted, request, body, &request_id).await,
            (Err(problem), _) | (_, Err(problem)) => Err(problem),
        };
        let mut reply = result.and_then(handed_on).unwrap_or_else(|problem| {
            log_cause(&problem, &request_id, route.map_or("-", |(function, _)| function.name));
            Reply::problem(&problem, &request_id)
        });
        if is_head {
            reply.body.clear();
        }
        let elapsed = spent + started.elapsed();
        let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let route_key = route.map_or("-".to_owned(), |(_, route)| format!("{} {}", route.method, route.path));
        let status = reply.status.as_u16();
        let (outcome, event) = (reply.outcome, reply.event.as_deref());
        tracing::info!(request_id, route = route_key, status, outcome, event, duration_ms, "answered");
        if route.is_some_and(|(_, route)| route.is_webhook()) {
            count_webhook(app, reply.status, elapsed);
        }
        respond(reply, &request_id)
    }
}

async fn call(
    app: &App,
    Admitted { route, params, key, hook }: Admitted,
    Request { method, query, headers, .. }: Request,
    ReceivedBody { kept: body, length: body_bytes }: ReceivedBody,
    request_id: &str,
) -> Result<Reply, Problem> {
    // A platform may add to a hook's URL whatever it likes.
    if !route.is_webhook() {
        if body_bytes > MAX_API_BODY_BYTES {
            return Err(Problem::new(Code::BodyTooLarge, "the body has more than 1 MB"));
        }
        check_query(&query, route.query)?;
    }
    let request_id = request_id.to_owned();
    let call = Call { request_id, now: app.now(), method, params, query, headers, body, body_bytes, key, hook };
    (route.handler)(app, call).await
}
