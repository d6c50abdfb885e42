//! Events: listed and read as CloudEvents envelopes. A replay delivers them again. A redispatch folds them into the
//! records again.

mod plan;
mod redispatch;
pub mod replay;
mod replay_span;

use crate::{AFTER, BEFORE, CURSOR, LIMIT, READ, VIEW};
use app::{App, Function, Route};
use http::StatusCode;
use models::{Envelope, EventId, HookId, StoredEvent, SubscriberId, event::EventKey};
use serde_json::value::RawValue;
use store::{Item, StoreError, from_item, list::Entry};
use web::{Problem, Query, QueryValue, Request, RequestExt as _, Response, call_directly, respond};

/// The function's name.
pub const NAME: &str = "api-events";

pub static FUNCTION: Function = Function {
    name: NAME,
    routes: &[LIST, replay_span::ROUTE, GET, RAW, redispatch::REDISPATCH_SPAN, redispatch::REDISPATCH, replay::ROUTE],
    // A replay by the MCP server, which has neither the code for expressions nor the rights.
    direct: Some(|app, request| Box::pin(call_directly(app, &replay::ROUTE, request))),
    settings: Vec::new,
};

pub const LIST: Route = Route::get("/v1/events", READ, "List events", |app, request| Box::pin(list(app, request)))
    .with_query(&[
        Query { name: "hook", description: "Only the events of this hook.", value: QueryValue::Id(HookId::PATTERN) },
        Query {
            name: "subscriber",
            description: "Only events of this subscriber.",
            value: QueryValue::Id(SubscriberId::PATTERN),
        },
        Query {
            name: "type",
            description: "Only the events of this type; `*` matches any characters.",
            value: QueryValue::Text,
        },
        AFTER,
        BEFORE,
        VIEW,
        LIMIT,
        CURSOR,
    ])
    .answers_with(StatusCode::OK, crate::page_of_any::<Envelope<'_>>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = request.query_id::<HookId>("hook")?;
    let subscriber = request.query_id::<SubscriberId>("subscriber")?;
    let event_type = request.query("type");
    let (after, before) = (request.query_time("after")?, request.query_time("before")?);
    let limit = request.limit()?;
    let listing = app.store.events_about(subscriber.as_ref(), after, before, request.position("events")?);
    let keep = |entry: &Entry| plan::is_selected(entry, hook.as_ref(), event_type.as_deref());
    let id = |entry: &Entry| EventKey::parse(&entry.sort).map(|key| key.id.to_string());
    let is_summary = crate::is_summary(&request)?;
    let page = app.store.page_of(listing, limit, keep, id, |item| Ok(Some(show(item, is_summary)?))).await?;
    respond::page(page.items, request.cursor("events", page.next))
}

fn show(item: Item, is_summary: bool) -> Result<Box<RawValue>, StoreError> {
    let event: StoredEvent = from_item(item)?;
    let opened = event.open()?;
    let envelope = opened.envelope()?;
    Ok(if is_summary { envelope.summary().shown()? } else { envelope.shown()? })
}

pub const GET: Route = Route::get("/v1/events/{id}", READ, "Get an event", |app, request| Box::pin(get(app, request)))
    .answers_with(StatusCode::OK, crate::schema_or_id::<Envelope<'_>>);

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let id: EventId = request.id("event")?;
    let show = |event: StoredEvent| Ok(Some(event.open()?.envelope()?.shown()?));
    let reply = crate::reply_or_id(id.as_str(), "event", app.store.event(&id).await, show)?;
    Ok(respond::logging_event(id, reply))
}

async fn find(app: &App, id: &EventId) -> Result<StoredEvent, Problem> {
    app.store.event(id).await?.ok_or_else(|| Problem::not_found("event"))
}

const RAW: Route = Route::get(
    "/v1/events/{id}/raw",
    READ,
    "Download an event's body as it was received, with its `Content-Encoding` removed",
    |app, request| Box::pin(raw(app, request)),
)
.answers_with(StatusCode::OK, crate::raw::schema);

async fn raw(app: &App, request: Request) -> Result<Response, Problem> {
    let id: EventId = request.id("event")?;
    let event = find(app, &id).await?;
    let body = event.raw.ok_or_else(|| Problem::not_found("body: it was erased"))?;
    Ok(respond::logging_event(&id, crate::raw::reply(id.as_str(), body, event.encoding.as_deref())?))
}
