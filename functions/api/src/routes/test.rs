//! `POST /v1/routes/{id}/test`: what a route would do with an event. Nothing is sent unless that is asked for.
//! `POST /v1/routes/test`: the same of a route that is not made yet. Nothing is sent.

use super::{
    create::{connection_id, hook_id},
    faults, target,
    view::without_path,
};
use crate::{OPERATE, control};
use app::{App, Route};
use client::mask::MASK;
use expression::{Event, Expression};
use flow::{
    deliver::post,
    request::{Prepared, ReadyTarget, Unprepared},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use models::{
    ConnectionId, Envelope, EventId, Fault, HookId, RouteId, StoredEvent, clock::random, delivery::Attempt,
    event::Accepted, ids::ContentKey,
};
use payload::{body::Format, mapping};
use registry::Watch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use std::collections::BTreeMap;
use store::{
    StoreError,
    connections::Connection,
    hooks::Hook,
    routes::{EventRoute, Selection, Target},
};
use web::{Code, Problem, Request, RequestExt as _, Response, input, respond};
use webhook::{WebhookClient, guard::Guard};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Trial {
    /// A kept event. Left out: one made of the sample of a trigger that the route is for.
    event: Option<EventId>,
    /// Whether the webhook's request is sent, for which the key's scope must be `admin`. An action is never run by this: call
    /// it by itself.
    #[serde(default)]
    send: bool,
}

#[derive(Serialize, JsonSchema)]
pub struct Tried {
    #[schemars(with = "Envelope<'_>")]
    event: Box<RawValue>,
    /// Whether the route is for the event, and the event passes its filter.
    matches: bool,
    /// What would be sent, whether the event matches or not; null if nothing can be made of it, or there is no target. That
    /// of a route that is not made has no signature.
    request: Option<RequestView>,
    /// Why nothing can be made of it; or else why the filter errs on it, and so does not let it pass.
    fault: Option<String>,
    /// What came of sending it; null if it was not sent.
    attempt: Option<Attempt>,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum RequestView {
    Webhook {
        url: String,
        /// The route's own are masked: `••••`.
        headers: BTreeMap<String, String>,
        #[schemars(with = "Value")]
        body: Box<RawValue>,
    },
    Action {
        action: String,
        connection: ConnectionId,
        #[schemars(with = "Map<String, Value>")]
        input: Box<RawValue>,
    },
}

/// A route that is not made yet.
#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Draft {
    /// A kept event. Left out: one made of the sample of a trigger that the route would be for.
    event: Option<EventId>,
    /// This and what follows are as of a new route.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 100)))]
    events: Vec<String>,
    #[schemars(extend("format" = "hook-id"))]
    hook: Option<String>,
    #[schemars(extend("format" = "connection-id"))]
    connection: Option<String>,
    filter: Option<String>,
    /// Left out: there is no telling what would be sent.
    target: Option<Map<String, Value>>,
}

/// What is tried.
struct Trying<'a> {
    selection: Selection<'a>,
    filter: Option<&'a str>,
    target: Option<ReadyTarget>,
    /// Whether a webhook's request is sent.
    send: bool,
}

pub const TEST: Route = Route::post(
    "/v1/routes/{id}/test",
    OPERATE,
    "Run an event through a route, and send it if that is asked for",
    |app, request| Box::pin(test(app, request)),
)
.may_take::<Trial>()
.answers::<Tried>();

pub async fn test(app: &App, request: Request) -> Result<Response, Problem> {
    let route = control::find::<EventRoute>(app, &request).await?;
    let trial: Trial = input::optional_body(&request)?;
    if trial.send && matches!(route.target, Target::Action(_)) {
        return Err(Problem::invalid_body(vec![Fault::new(
            "/send",
            "is for a webhook: an action is called by itself",
        )]));
    }
    if trial.send && !control::sees_secrets(&request) {
        return Err(Problem::new(Code::Forbidden, "only a key of scope admin may send; leave `send` out"));
    }
    let target = Some(ReadyTarget::open(app, &route.id, &route.target).await?);
    let trying = Trying { selection: route.selection(), filter: route.filter.as_deref(), target, send: trial.send };
    respond::ok(&tried(app, trying, trial.event, control::sees_secrets(&request)).await?)
}

pub const TEST_DRAFT: Route = Route::post(
    "/v1/routes/test",
    OPERATE,
    "Run an event through a route that is not made yet; nothing is sent",
    |app, request| Box::pin(test_draft(app, request)),
)
.takes::<Draft>()
.answers::<Tried>();

pub async fn test_draft(app: &App, request: Request) -> Result<Response, Problem> {
    let draft: Draft =
        input::body_with(&request, |body| faults::of(body, &Guard::new(app.config.delivery_allow_cidrs.clone())))?;
    let hook = hook_id(app, draft.hook.as_deref()).await?;
    let connection = connection_id(app, draft.connection.as_deref()).await?;
    let target = match draft.target {
        // The target of no route has nothing sealed, so any id will do.
        Some(fields) => {
            let id = RouteId::new(request.now(), random()?);
            Some(ReadyTarget::open(app, &id, &target::unsealed(app, fields).await?).await?)
        }
        None => None,
    };
    let selection =
        Selection { route: None, events: &draft.events, hook: hook.as_ref(), connection: connection.as_ref() };
    let trying = Trying { selection, filter: draft.filter.as_deref(), target, send: false };
    respond::ok(&tried(app, trying, draft.event, true).await?)
}

async fn tried(app: &App, trying: Trying<'_>, event: Option<EventId>, shows_url: bool) -> Result<Tried, Problem> {
    let event = match &event {
        Some(id) => app.store.event(id).await?.ok_or_else(|| Problem::not_found("event"))?,
        None => sample(app, &trying.selection).await?,
    };
    let opened = event.open().map_err(StoreError::from)?;
    let envelope = opened.envelope().map_err(StoreError::from)?;
    let passed = trying.filter.map_or(Ok(true), |filter| passes(filter, &Event::of(&envelope)));
    let matches = trying.selection.takes(&opened.key, event.connection.as_ref()) && passed == Ok(true);
    let (mut request, mut fault, mut attempt) = (None, passed.err(), None);
    match trying.target.map(|target| target.prepare(app.now(), envelope.clone(), event.hops)) {
        None => {}
        Some(Ok(Prepared::Action { action, connection, input, .. })) => {
            let input = RawValue::from_string(input).map_err(Problem::internal)?;
            request = Some(RequestView::Action { action, connection, input });
        }
        Some(Ok(Prepared::Webhook { url, headers, body })) => {
            let address = if shows_url { url.to_string() } else { without_path(url.as_str()) };
            request = Some(shown(address, &headers, &body)?);
            if trying.send {
                let client = WebhookClient::new(Guard::new(app.config.delivery_allow_cidrs.clone()))
                    .map_err(Problem::internal)?;
                attempt = Some(post(&client, app.now(), &url, headers, body).await.1);
            }
        }
        Some(Err(Unprepared::Event(words))) => fault = Some(words),
        Some(Err(Unprepared::Problem(problem))) => return Err(problem),
    }
    let event = envelope.shown().map_err(Problem::internal)?;
    Ok(Tried { event, matches, request, fault, attempt })
}

/// Whether an event passes a filter, or why that errs.
fn passes(filter: &str, event: &Event<'_>) -> Result<bool, String> {
    let filter = Expression::compile_stored(filter).map_err(|bad| format!("the filter: {}", bad.detail))?;
    match filter.evaluate(event).as_deref() {
        Ok("true") => Ok(true),
        Ok("false") => Ok(false),
        Ok(_) => Err("the filter: gives neither true nor false".to_owned()),
        Err(words) => Err(format!("the filter: {words}")),
    }
}

fn shown(url: String, headers: &HeaderMap, body: &[u8]) -> Result<RequestView, Problem> {
    let masked = |value: &HeaderValue| match value.to_str() {
        Ok(text) if !value.is_sensitive() => text.to_owned(),
        _ => MASK.to_owned(),
    };
    let has_value = |(_, value): &(&HeaderName, &HeaderValue)| !value.is_empty();
    Ok(RequestView::Webhook {
        url,
        headers: headers.iter().filter(has_value).map(|(name, value)| (name.to_string(), masked(value))).collect(),
        body: serde_json::from_slice(body).map_err(Problem::internal)?,
    })
}

/// An event made of the sample of the first trigger that the route is for, as its hook would read it.
async fn sample(app: &App, selection: &Selection<'_>) -> Result<StoredEvent, Problem> {
    let hook: Option<Hook> = match selection.hook {
        Some(id) => app.store.find(id.as_str()).await?,
        None => None,
    };
    let connection: Option<Connection> = match selection.connection {
        Some(id) => app.store.find(id.as_str()).await?,
        None => None,
    };
    let is_for = |watch: &Watch| {
        selection.is_of(watch.trigger.event_type)
            && hook.as_ref().is_none_or(|hook| hook.trigger == watch.trigger.name)
            && connection.as_ref().is_none_or(|connection| connection.platform == watch.platform.name)
    };
    let watch = registry::triggers().find(is_for).ok_or_else(|| {
        Problem::invalid_body(vec![Fault::new("/event", "is required: the route is for no trigger's events")])
    })?;
    let (now, trigger) = (app.now(), watch.trigger);
    let made_up = (HookId::new(now, random()?), ConnectionId::new(now, random()?));
    let of_hook = hook.as_ref().map(|hook| &hook.connection);
    let mapping = hook.as_ref().map(|hook| hook.settings.mapping.clone()).unwrap_or_default();
    let body: Value = serde_json::from_str(watch.sample).map_err(Problem::internal)?;
    Ok(StoredEvent::new(Accepted {
        at: now,
        key: ContentKey::unique(random()?),
        hook: selection.hook.unwrap_or(&made_up.0),
        connection: selection.connection.or(of_hook).unwrap_or(&made_up.1),
        platform: trigger.platform,
        event_type: trigger.event_type,
        raw: watch.sample.as_bytes(),
        format: Format::JSON,
        body: &body,
        reading: &mapping::resolve(trigger.fields(), &mapping, &body),
        told: Map::new(),
        encoding: None,
        query: None,
        hops: 0,
        nonce: String::new(),
        expires: now,
    }))
}
