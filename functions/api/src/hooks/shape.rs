//! `POST /v1/hooks/{id}/shape`: the structure of a received body without its content, to be copied into a public issue.

use crate::{ADMIN, control};
use app::{App, Route};
use models::{EventId, Fault, RejectedId, event::EventKey};
use payload::{body, shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use store::{events::RejectedCall, hooks::Hook};
use web::{Code, Problem, Request, Response, input, respond};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Source {
    /// An event of the hook. Default: its newest event, or without one its newest rejected call.
    event: Option<EventId>,
    /// A rejected call of the hook.
    rejected: Option<RejectedId>,
}

#[derive(Serialize, JsonSchema)]
pub struct Shape {
    /// The body with every text, number and unknown key replaced by one of its kind and length class. A body that is
    /// neither JSON nor a form is one text.
    shape: Value,
}

/// Time limit of the search for the newest body, well within API Gateway's timeout.
const TIME: Duration = Duration::from_secs(15);
/// Index entries that the search reads at a time.
const BATCH: usize = 100;

pub const ROUTE: Route = Route::post(
    "/v1/hooks/{id}/shape",
    ADMIN,
    "Get the shape of a received body, without its content",
    |app, request| Box::pin(get(app, request)),
)
.may_take::<Source>()
.answers::<Shape>();

pub async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = control::find::<Hook>(app, &request).await?;
    let body = match input::optional_body(&request)? {
        Source { event: Some(_), rejected: Some(_) } => {
            let fault = Fault::new("/rejected", "must be left out if `event` is given");
            return Err(Problem::invalid_body(vec![fault]));
        }
        Source { event: Some(event), .. } => body_of_event(app, &hook, &event).await?,
        Source { rejected: Some(rejected), .. } => body_of_rejected(app, &hook, &rejected).await?,
        Source { .. } => newest(app, &hook).await?,
    };
    let body = body.ok_or_else(|| Problem::not_found("body: none was kept, or it was erased"))?;
    respond::ok(&Shape { shape: shape::of(&body, &known_keys(&hook)) })
}

/// The names in the trigger's candidates.
fn known_keys(hook: &Hook) -> BTreeSet<String> {
    let fields = registry::trigger(&hook.trigger).into_iter().flat_map(|watch| watch.trigger.fields());
    let pointers = fields.flat_map(|field| field.candidates);
    let names = pointers.flat_map(|pointer| pointer.split('/').skip(1));
    names.map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
}

async fn body_of_event(app: &App, hook: &Hook, id: &EventId) -> Result<Option<Value>, Problem> {
    let Some(event) = app.store.event(id).await? else { return Ok(None) };
    let is_of_hook = EventKey::parse(&event.sort).is_some_and(|key| key.origin.hook() == Some(&hook.id));
    Ok(event.raw.as_ref().filter(|_| is_of_hook).map(|raw| body::reread(raw, event.format()).0))
}

async fn body_of_rejected(app: &App, hook: &Hook, id: &RejectedId) -> Result<Option<Value>, Problem> {
    let call = app.store.rejected_call(id).await?.filter(|call| RejectedCall::belongs_to(&hook.id, &call.sort));
    Ok(call.and_then(|RejectedCall { body, content_type, .. }| {
        let body = body?;
        let read = body::read(&body, content_type.as_deref());
        Some(read.map_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()), |(_, value)| value))
    }))
}

/// The body of the hook's newest event, or without one of its newest rejected call.
async fn newest(app: &App, hook: &Hook) -> Result<Option<Value>, Problem> {
    let deadline = Instant::now() + TIME;
    let in_time = || match Instant::now() < deadline {
        true => Ok(()),
        false => {
            Err(Problem::new(Code::Unfinished, "the newest body was not found in time; give `event` or `rejected`"))
        }
    };
    let mut events = app.store.entries(app.store.events(None, None, None), BATCH).await?;
    while let Some(entry) = events.next().await? {
        in_time()?;
        let key = EventKey::parse(&entry.sort).filter(|key| key.origin.hook() == Some(&hook.id));
        if let Some(key) = key
            && let Some(body) = body_of_event(app, hook, &key.id).await?
        {
            return Ok(Some(body));
        }
    }
    let mut calls = app.store.entries(app.store.rejected(&hook.connection, None), BATCH).await?;
    while let Some(entry) = calls.next().await? {
        in_time()?;
        if RejectedCall::belongs_to(&hook.id, &entry.sort)
            && let Ok(id) = entry.pk.parse()
            && let Some(body) = body_of_rejected(app, hook, &id).await?
        {
            return Ok(Some(body));
        }
    }
    Ok(None)
}
