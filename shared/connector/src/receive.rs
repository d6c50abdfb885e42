//! Receiving of webhooks: one conditional write, and only then 200.

use crate::{content::Content, query, reply};
use app::{App, Handler, Route};
use aws::metrics::Metric;
use http::{HeaderValue, Method, StatusCode, header};
use models::{RejectedId, StoredEvent, Trigger, clock::random, event::Accepted};
use payload::{Reading, mapping};
use schemars::{JsonSchema, Schema, json_schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use store::{
    events::{AcceptOutcome, RejectedCall, rejected_key},
    hooks::{Hook, HookSettings},
};
use web::{
    Access, Code, EVENT_HEADER, HOPS_HEADER, MAX_WEBHOOK_BODY_BYTES, Problem, Request, RequestExt as _, Response,
    encoding::{self, DecodeError, Decoded},
    respond::{self, Logged},
};

/// Defines a trigger. `TRIGGER` is for receiving, `MODULE` for the catalogue, and `FUNCTION` is the Lambda function,
/// which serves the hook's path. The names follow from `noun`: `watch-<noun>` and `/hooks/<platform>/<noun>/{token}`.
#[macro_export]
#[expect(clippy::crate_in_macro_def, reason = "the settings are those of the platform that defines the trigger")]
macro_rules! trigger {
    (
        platform: $platform:literal,
        noun: $noun:literal,
        label: $label:literal,
        description: $description:literal,
        setup: $setup:expr,
        event: $event:literal,
        fields: $fields:expr,
        $(message: $message:expr,)?
        $(headers: $headers:expr,)?
        $(secret_query: $secret_query:expr,)?
        data: $data:expr,
        sample: $sample:expr,
        $(settings: $settings:ty,)?
        $(excludes: $excludes:path,)?
        $(answer: $answer:expr,)?
        $(receive: $receive:path,)?
        $(get: $get:expr,)?
    ) => {
        pub static TRIGGER: $crate::models::Trigger = $crate::models::Trigger {
            name: concat!($platform, ".watch-", $noun),
            platform: $platform,
            path: concat!("/hooks/", $platform, "/", $noun),
            event_type: $event,
            fields: $fields,
            message: $crate::or_default!(None $(, Some($message))?),
            headers: $crate::or_default!(&[] $(, $headers)?),
            secret_query: $crate::or_default!(&[] $(, $secret_query)?),
        };

        pub const MODULE: $crate::models::Module = $crate::models::Module {
            label: $label,
            description: $description,
            kind: $crate::models::ModuleKind::Trigger {
                trigger: &TRIGGER,
                setup: $setup,
                sample: $sample,
                settings: $crate::or_default!($crate::settings::schema $(, $crate::settings::schema_with::<$settings>)?),
            },
            output: || $crate::models::envelope::schema($event, $data()),
        };

        pub static FUNCTION: $crate::Function = $crate::Function {
            name: concat!($platform, "-watch-", $noun),
            routes: &[
                $crate::receive::route(
                    PATH,
                    $label,
                    $crate::or_default!($crate::receive::answer_schema $(, $answer)?),
                    $crate::or_default!(
                        |app, request| {
                            let excludes = $crate::or_default!($crate::receive::nothing $(, $excludes)?);
                            Box::pin($crate::receive::receive(app, &TRIGGER, request, excludes))
                        }
                        $(, |app, request| Box::pin($receive(app, request)))?
                    ),
                ),
                $crate::or_default!(
                    $crate::receive::probe_route(PATH, |app, request| {
                        Box::pin($crate::receive::probe(app, &TRIGGER, request))
                    })
                    $(, $get)?
                ),
            ],
            direct: None,
            settings: || crate::SETTINGS.iter().collect(),
        };

        const PATH: &str = concat!("/hooks/", $platform, "/", $noun, "/{token}");
    };
}

/// The second expression if it is given, or else the first.
#[doc(hidden)]
#[macro_export]
macro_rules! or_default {
    ($default:expr) => {
        $default
    };
    ($default:expr, $given:expr) => {
        $given
    };
}

/// The answer to the platform.
#[derive(Serialize, JsonSchema)]
struct Receipt<'a> {
    /// `accepted`; `duplicate` of an earlier call, with its event's id; `ignored` if the hook is disabled or its
    /// settings exclude the call.
    status: &'a str,
    event: Option<&'a str>,
}

/// The route of a trigger's webhook.
pub const fn route(path: &'static str, label: &'static str, answer: fn() -> Schema, handler: Handler) -> Route {
    Route::post(path, Access::Hook, label, handler).answers_with(StatusCode::OK, answer)
}

/// The route for checking a hook's URL. It also serves all methods other than GET and POST.
pub const fn probe_route(path: &'static str, handler: Handler) -> Route {
    Route::get(path, Access::Hook, "Check a hook's URL; HEAD works as well", handler).answers::<Ready>()
}

/// The answer to a check of a hook's URL.
#[derive(Serialize, JsonSchema)]
struct Ready {
    /// Always `ready`.
    status: &'static str,
}

pub fn ready_schema() -> Schema {
    schema_for!(Ready)
}

/// JSON Schema of a hook's answer.
pub fn answer_schema() -> Schema {
    json_schema!({ "anyOf": [
        schema_for!(Receipt),
        { "description": "The hook's `reply`." },
    ] })
}

/// True for a call that a hook's settings exclude, from its fields and its body.
pub type Excludes = fn(&HookSettings, &Reading, &Value) -> Result<bool, Problem>;

/// For a trigger whose settings exclude no call.
pub fn nothing(_: &HookSettings, _: &Reading, _: &Value) -> Result<bool, Problem> {
    Ok(false)
}

/// Receives a webhook call of a trigger.
pub async fn receive(
    app: &App,
    trigger: &'static Trigger,
    request: Request,
    excludes: Excludes,
) -> Result<Response, Problem> {
    let hook = find(trigger, &request)?;
    store_call_unless(app, trigger, &hook, &request, Map::new(), excludes).await?.answer(&hook)
}

/// Outcome of a webhook call.
pub struct Received {
    status: &'static str,
    event_id: Option<String>,
    /// None for an ignored call.
    event: Option<StoredEvent>,
}

/// Largest filled-in reply, in bytes. A template may repeat the body many times, and Lambda can't return a larger
/// answer.
const MAX_REPLY_BYTES: usize = 1024 * 1024;

impl Received {
    fn stored(event: StoredEvent, outcome: &AcceptOutcome) -> Self {
        let (status, event_id) = match outcome {
            AcceptOutcome::Accepted => ("accepted", event.sort.split(' ').next().map(str::to_owned)),
            AcceptOutcome::Duplicate(first) => ("duplicate", Some(first.to_string())),
        };
        Self { status, event_id, event: Some(event) }
    }

    const fn ignored() -> Self {
        Self { status: "ignored", event_id: None, event: None }
    }

    /// The event's data from this call.
    pub fn data(&self) -> Option<Value> {
        let opened = self.event.as_ref()?.open().ok()?;
        serde_json::to_value(opened.envelope().ok()?.data).ok()
    }

    /// The reply template, filled in from the event's data; none if the result is too large.
    pub fn fill_reply(&self, reply: &Value, data: &Value) -> Option<Value> {
        let filled = reply::fill(reply, data, &mut { MAX_REPLY_BYTES });
        if filled.is_none() {
            tracing::warn!(event = self.event_id, "a hook's reply is too large; the default answer was sent");
        }
        filled
    }

    /// The answer: the reply in the hook's settings, or else a receipt.
    pub fn answer(&self, hook: &Hook) -> Result<Response, Problem> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Replying {
            reply: Option<Value>,
        }
        let Replying { reply } = hook.settings.own().map_err(Problem::internal)?;
        match reply.and_then(|reply| self.fill_reply(&reply, &self.data()?)) {
            Some(reply) => self.reply(&reply),
            None => self.reply(&Receipt { status: self.status, event: self.event_id.as_deref() }),
        }
    }

    /// An answer with this body.
    pub fn reply<T: Serialize>(&self, body: &T) -> Result<Response, Problem> {
        let mut response = respond::ok(body)?;
        if let Some(value) = self.event_id.as_ref().and_then(|id| HeaderValue::from_str(id).ok()) {
            response.headers_mut().insert(EVENT_HEADER, value);
        }
        response.extensions_mut().insert(Logged { outcome: Some(self.status), event: self.event_id.clone() });
        Ok(response)
    }
}

/// Counts a call that the hook's settings exclude, without making an event.
pub fn ignore(app: &App) -> Received {
    app.metrics.count(Metric::Ignored);
    Received::ignored()
}

/// Stores a call as an event, unless it is a duplicate or the hook is disabled. `extra_data` are fields of the event's data
/// that come from outside the body.
pub async fn store_call(
    app: &App,
    trigger: &'static Trigger,
    hook: &Hook,
    request: &Request,
    extra_data: Map<String, Value>,
) -> Result<Received, Problem> {
    store_call_unless(app, trigger, hook, request, extra_data, nothing).await
}

/// Stores a call like [`store_call`], unless the hook's settings exclude it.
async fn store_call_unless(
    app: &App,
    trigger: &'static Trigger,
    hook: &Hook,
    request: &Request,
    extra_data: Map<String, Value>,
    excludes: Excludes,
) -> Result<Received, Problem> {
    if !hook.enabled {
        store_rejected(app, hook, request, "hook_disabled", "the hook was disabled").await?;
        app.metrics.count(Metric::Rejected);
        return Ok(Received::ignored());
    }
    let content = match Content::read(trigger, request) {
        Ok(content) => content,
        Err(problem) => return Err(reject(app, hook, request, problem).await),
    };
    let reading = mapping::resolve(trigger.fields(), &hook.settings.mapping, &content.body);
    if excludes(&hook.settings, &reading, &content.body)? {
        return Ok(ignore(app));
    }
    let (key, window_seconds) = content.dedupe(app, trigger, hook, request, &reading)?;
    let keeps_query = hook.settings.keep_query == Some(true);
    let event = StoredEvent::new(Accepted {
        at: request.now(),
        key,
        hook: &hook.id,
        connection: &hook.connection,
        platform: trigger.platform,
        event_type: trigger.event_type,
        raw: &content.bytes,
        format: content.format,
        body: &content.body,
        reading: &reading,
        extra_data,
        encoding: content.encoding.map(str::to_owned),
        query: keeps_query.then(|| query::kept(&content.query)),
        hops: hops(request),
        nonce: data_encoding::BASE64URL_NOPAD.encode(&random::<6>()?),
        expires: app.event_expires(),
    });
    let outcome = app.store.accept(&event, window_seconds.saturating_mul(1000)).await?;
    let metric = match outcome {
        AcceptOutcome::Accepted => Metric::Accepted,
        AcceptOutcome::Duplicate(_) => Metric::Duplicate,
    };
    app.metrics.count(metric);
    Ok(Received::stored(event, &outcome))
}

/// The hop count of a call, at most 255. API Gateway joins repeated headers with commas; the largest number counts.
fn hops(request: &Request) -> u8 {
    let values = request.headers().get_all(&HOPS_HEADER).iter().filter_map(|value| value.to_str().ok());
    let texts = values.flat_map(|value| value.split(',')).map(str::trim);
    let numbers = texts.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    numbers.map(|text| text.parse().unwrap_or(u8::MAX)).max().unwrap_or(0)
}

/// Answers all methods but POST, because senders check a URL before they save it.
pub async fn probe(app: &App, trigger: &Trigger, request: Request) -> Result<Response, Problem> {
    let hook = find(trigger, &request)?;
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return respond::ok(&Ready { status: "ready" });
    }
    let detail = format!("send webhooks with POST, not {}", request.method());
    let problem = Problem::new(Code::MethodNotAllowed, detail)
        .with_header(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    Err(reject(app, &hook, &request, problem).await)
}

/// The hook of the request, if it belongs to this trigger.
pub fn find(trigger: &Trigger, request: &Request) -> Result<Arc<Hook>, Problem> {
    let hook: Option<&Arc<Hook>> = request.extensions().get();
    hook.filter(|hook| hook.trigger == trigger.name).map(Arc::clone).ok_or_else(|| Problem::not_found("hook"))
}

/// Stores a rejected call, and returns the problem for its answer.
pub async fn reject(app: &App, hook: &Hook, request: &Request, problem: Problem) -> Problem {
    match store_rejected(app, hook, request, problem.code.as_str(), &problem.detail).await {
        Ok(()) => problem,
        Err(unkept) => unkept,
    }
}

async fn store_rejected(app: &App, hook: &Hook, request: &Request, code: &str, detail: &str) -> Result<(), Problem> {
    let id = RejectedId::new(request.now(), random()?);
    let (kept, encoding) = match encoding::decode(request.headers(), request.body(), MAX_WEBHOOK_BODY_BYTES) {
        _ if request.context().body_bytes > MAX_WEBHOOK_BODY_BYTES as u64 => (None, None),
        Ok(Decoded { bytes, encoding }) => (Some(bytes), encoding),
        Err(DecodeError::TooLarge(_)) => (None, None),
        Err(DecodeError::Unsupported(_) | DecodeError::Corrupt(_)) => (Some(request.body().clone()), None),
    };
    let rejected = RejectedCall {
        v: 1,
        list: rejected_key(&hook.connection, id.shard()),
        sort: format!("{id} {}", hook.id),
        pk: id,
        code: code.to_owned(),
        detail: detail.to_owned(),
        content_type: request.header(&header::CONTENT_TYPE).map(|value| value.chars().take(200).collect()),
        encoding: encoding.map(str::to_owned),
        bytes: kept.as_ref().map_or(request.context().body_bytes, |bytes| bytes.len() as u64),
        body: kept.map(Vec::from),
        expires: app.event_expires().seconds(),
    };
    Ok(app.store.reject(&rejected).await?)
}
