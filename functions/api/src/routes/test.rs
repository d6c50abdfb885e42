//! `POST /v1/routes/{id}/test`: shows the request that a route would make for an event, and sends it if asked to. `POST
//! /v1/routes/test`: the same for a draft, without sending.

use super::{
    create::{connection_id, hook_id},
    faults, target,
    view::without_path,
};
use crate::{OPERATE, control};
use app::{App, Route};
use aws::signed::UnsignedRequest;
use client::mask::MASK;
use expression::{EventValues, Expression};
use flow::{
    aws_target::{AwsMessage, TooLarge},
    deliver::post,
    request::{PrepareError, Prepared, ReadyTarget},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use models::{
    ConnectionId, DeliveryId, Envelope, EventId, Fault, HookId, RouteId, StoredEvent, clock::random, delivery::Attempt,
    event::Accepted, ids::ContentKey,
};
use payload::{body::Format, mapping};
use registry::TriggerEntry;
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
pub struct TestOptions {
    /// A stored event. Default: an event made from the sample of a trigger that the route matches.
    event: Option<EventId>,
    /// True to send the webhook's request, which requires a key of scope `admin`. A test never runs an action, and never
    /// calls an AWS target.
    #[serde(default)]
    send: bool,
}

#[derive(Serialize, JsonSchema)]
pub struct TestResult {
    #[schemars(with = "Envelope<'_>")]
    event: Box<RawValue>,
    /// True if the route matches the event, and the event passes its filter.
    matches: bool,
    /// The request, whether the event matches or not. Null if none can be built, or without a target. A draft's request
    /// is not signed.
    request: Option<RequestView>,
    /// The reason why no request can be built. Otherwise the reason why the filter fails on the event, which then does
    /// not pass.
    fault: Option<String>,
    /// The outcome of sending the request; null if it was not sent.
    attempt: Option<Attempt>,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum RequestView {
    Webhook {
        url: String,
        /// The route's own headers are masked: `••••`.
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
    /// Without its signature. The id in an execution's name or for deduplication is that of the event's first delivery.
    Aws {
        arn: String,
        url: String,
        headers: BTreeMap<String, String>,
        /// JSON; for a topic a text, the form that is sent.
        body: Value,
    },
}

/// A draft of a route.
#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Draft {
    /// A stored event. Default: an event made from the sample of a trigger that the draft matches.
    event: Option<EventId>,
    /// This field and those below are the same as for a new route.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 100)))]
    events: Vec<String>,
    #[schemars(extend("format" = "hook-id"))]
    hook: Option<String>,
    #[schemars(extend("format" = "connection-id"))]
    connection: Option<String>,
    filter: Option<String>,
    /// Without it, no request is shown.
    target: Option<Map<String, Value>>,
}

/// The parts of a route that are tested.
struct RouteTest<'a> {
    selection: Selection<'a>,
    filter: Option<&'a str>,
    target: Option<ReadyTarget>,
    /// A draft has a made-up one.
    route: &'a RouteId,
    /// True to send a webhook's request.
    send: bool,
}

pub const TEST: Route = Route::post(
    "/v1/routes/{id}/test",
    OPERATE,
    "Test a route with an event, optionally sending the request",
    |app, request| Box::pin(test(app, request)),
)
.may_take::<TestOptions>()
.answers::<TestResult>();

pub async fn test(app: &App, request: Request) -> Result<Response, Problem> {
    let route = control::find::<EventRoute>(app, &request).await?;
    let options: TestOptions = input::optional_body(&request)?;
    if options.send && !matches!(route.target, Target::Webhook(_)) {
        let instead = match route.target {
            Target::Aws(_) => "replay an event to try an AWS target",
            Target::Mcp(_) => "replay an event to the subscription to try its endpoint",
            Target::Webhook(_) | Target::Action(_) => "call the action itself",
        };
        let fault = Fault::new("/send", format!("is only possible for a webhook; {instead}"));
        return Err(Problem::invalid_body(vec![fault]));
    }
    if options.send && !control::sees_secrets(&request) {
        return Err(Problem::new(Code::Forbidden, "sending requires a key of scope admin; leave `send` out"));
    }
    let target = Some(ReadyTarget::open(app, &route.id, &route.target).await?);
    let (selection, filter) = (route.selection(), route.filter.as_deref());
    let test_of_route = RouteTest { selection, filter, target, route: &route.id, send: options.send };
    let shows_url = control::sees_secrets(&request) && !route.is_subscription();
    respond::ok(&run(app, test_of_route, options.event, shows_url).await?)
}

pub const TEST_DRAFT: Route = Route::post(
    "/v1/routes/test",
    OPERATE,
    "Test a draft of a route with an event; nothing is sent",
    |app, request| Box::pin(test_draft(app, request)),
)
.takes::<Draft>()
.answers::<TestResult>();

pub async fn test_draft(app: &App, request: Request) -> Result<Response, Problem> {
    let draft: Draft = input::body_with(&request, |body| faults::of(app, body))?;
    let hook = hook_id(app, draft.hook.as_deref()).await?;
    let connection = connection_id(app, draft.connection.as_deref()).await?;
    // A draft's target has nothing sealed, so any id works.
    let route = &RouteId::new(request.now(), random()?);
    let target = match draft.target {
        Some(fields) => Some(ReadyTarget::open(app, route, &target::unsealed(app, fields).await?).await?),
        None => None,
    };
    let selection =
        Selection { route: None, events: &draft.events, hook: hook.as_ref(), connection: connection.as_ref() };
    let test_of_route = RouteTest { selection, filter: draft.filter.as_deref(), target, route, send: false };
    respond::ok(&run(app, test_of_route, draft.event, true).await?)
}

async fn run(
    app: &App,
    test_of_route: RouteTest<'_>,
    event: Option<EventId>,
    shows_url: bool,
) -> Result<TestResult, Problem> {
    let event = match &event {
        Some(id) => app.store.event(id).await?.ok_or_else(|| Problem::not_found("event"))?,
        None => sample(app, &test_of_route.selection).await?,
    };
    let opened = event.open().map_err(StoreError::from)?;
    let envelope = opened.envelope().map_err(StoreError::from)?;
    let passed = test_of_route.filter.map_or(Ok(true), |filter| passes(filter, &EventValues::of(&envelope)));
    let matches = test_of_route.selection.matches(&opened.key, event.connection.as_ref()) && passed == Ok(true);
    let (mut request, mut fault, mut attempt) = (None, passed.err(), None);
    match test_of_route.target.map(|target| target.prepare(app.now(), envelope.clone(), event.hops)) {
        None => {}
        Some(Ok(Prepared::Action { action, connection, input, .. })) => {
            let input = RawValue::from_string(input).map_err(Problem::internal)?;
            request = Some(RequestView::Action { action, connection, input });
        }
        Some(Ok(Prepared::Webhook { url, headers, body })) => {
            let address = if shows_url { url.to_string() } else { without_path(url.as_str()) };
            request = Some(shown(address, &headers, &body)?);
            if test_of_route.send {
                let client =
                    WebhookClient::new(Guard::new(app.config.delivery_allow_cidrs.clone()), app.config.trusted_roots)
                        .map_err(Problem::internal)?;
                attempt = Some(post(&client, app.now(), &url, headers, body).await.1);
            }
        }
        Some(Ok(Prepared::Aws(message))) => {
            let delivery = DeliveryId::derive(&opened.key.id, test_of_route.route, None);
            match message.request(&format!("{delivery}-0"), app.aws_endpoint()) {
                Ok(unsigned) => request = Some(shown_unsigned(&message, unsigned)),
                Err(TooLarge(message)) => fault = Some(message),
            }
        }
        Some(Err(PrepareError::Event(message) | PrepareError::Target(message))) => fault = Some(message),
        Some(Err(PrepareError::Problem(problem))) => return Err(problem),
    }
    let event = envelope.shown().map_err(Problem::internal)?;
    Ok(TestResult { event, matches, request, fault, attempt })
}

/// Evaluates a filter on an event. The error is the reason why it fails.
fn passes(filter: &str, event: &EventValues<'_>) -> Result<bool, String> {
    let filter = Expression::compile_stored(filter).map_err(|bad| format!("the filter: {}", bad.detail))?;
    match filter.evaluate(event).as_deref() {
        Ok("true") => Ok(true),
        Ok("false") => Ok(false),
        Ok(_) => Err("the filter: must give true or false".to_owned()),
        Err(message) => Err(format!("the filter: {message}")),
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

fn shown_unsigned(message: &AwsMessage, UnsignedRequest { url, headers, body, .. }: UnsignedRequest) -> RequestView {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    RequestView::Aws {
        arn: message.arn.to_string(),
        url,
        headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: serde_json::from_str(&body).unwrap_or(Value::String(body)),
    }
}

/// An event made from the sample of the first trigger that the route matches, as its hook would read it.
async fn sample(app: &App, selection: &Selection<'_>) -> Result<StoredEvent, Problem> {
    let hook: Option<Hook> = match selection.hook {
        Some(id) => app.store.find(id.as_str()).await?,
        None => None,
    };
    let connection: Option<Connection> = match selection.connection {
        Some(id) => app.store.find(id.as_str()).await?,
        None => None,
    };
    let is_for = |watch: &TriggerEntry| {
        selection.selects_type(watch.trigger.event_type)
            && hook.as_ref().is_none_or(|hook| hook.trigger == watch.trigger.name)
            && connection.as_ref().is_none_or(|connection| connection.platform == watch.platform.name)
    };
    let watch = registry::triggers().find(is_for).ok_or_else(|| {
        Problem::invalid_body(vec![Fault::new("/event", "is required: no trigger has events that the route matches")])
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
        extra_data: Map::new(),
        encoding: None,
        query: None,
        hops: 0,
        nonce: String::new(),
        expires: now,
    }))
}
