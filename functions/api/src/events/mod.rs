//! Events: listed and got, as CloudEvents envelopes made on reading. Replayed: delivered once more. Redispatched: taken into
//! the records again.

mod plan;
mod redispatch;
mod replay;
mod replay_span;

use crate::{AFTER, BEFORE, CURSOR, LIMIT, OPERATE, READ, VIEW};
use http::{Method, StatusCode};
use models::{Envelope, EventId, HookId, StoredEvent, SubscriberId, event::EventKey};
use runtime::{
    App, Body, Call, Function, Problem, Query, QueryValue, Reply, Route,
    store::{Item, StoreError, from_item, list::Entry},
};
use schemars::schema_for;
use serde_json::value::RawValue;

pub static FUNCTION: Function = Function {
    name: "api-events",
    routes: &[
        Route {
            method: Method::GET,
            path: "/v1/events",
            access: READ,
            summary: "List the events",
            query: &[
                Query {
                    name: "hook",
                    description: "Only the events of this hook.",
                    value: QueryValue::Id(HookId::PATTERN),
                },
                Query {
                    name: "subscriber",
                    description: "Only the events that tell of this subscriber.",
                    value: QueryValue::Id(SubscriberId::PATTERN),
                },
                Query {
                    name: "type",
                    description: "Only the events of this type; `*` stands for any run of characters.",
                    value: QueryValue::Text,
                },
                AFTER,
                BEFORE,
                VIEW,
                LIMIT,
                CURSOR,
            ],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(schema_for!(Envelope<'_>)))),
            handler: |app, call| Box::pin(list(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/events/replay",
            access: OPERATE,
            summary: "Replay the events of a span of time, or make the deliveries that it lacks",
            query: &[CURSOR],
            body: Body::Required(|| schema_for!(replay_span::Span)),
            success: (StatusCode::OK, Some(|| schema_for!(replay_span::Replayed))),
            handler: |app, call| Box::pin(replay_span::replay_span(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/events/{id}",
            access: READ,
            summary: "Get an event",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::schema_or_id(schema_for!(Envelope<'_>)))),
            handler: |app, call| Box::pin(get(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/events/{id}/raw",
            access: READ,
            summary: "Get an event's body byte for byte, as it was received but for its `Content-Encoding`",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(crate::raw::schema)),
            handler: |app, call| Box::pin(raw(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/events/redispatch",
            access: OPERATE,
            summary: "Dispatch the events of a span of time again, and make the records and deliveries that are missing",
            query: &[CURSOR],
            body: Body::Required(|| schema_for!(redispatch::Span)),
            success: (StatusCode::OK, Some(|| schema_for!(redispatch::Outcome))),
            handler: |app, call| Box::pin(redispatch::redispatch_span(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/events/{id}/redispatch",
            access: OPERATE,
            summary: "Dispatch an event again, and make its records and deliveries that are missing",
            query: &[],
            body: Body::Optional(|| schema_for!(redispatch::One)),
            success: (StatusCode::OK, Some(|| schema_for!(redispatch::Outcome))),
            handler: |app, call| Box::pin(redispatch::redispatch(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/events/{id}/replay",
            access: OPERATE,
            summary: "Replay an event: deliver it once more to the routes that it is for now",
            query: &[],
            body: Body::Optional(|| schema_for!(replay::Replay)),
            success: (StatusCode::OK, Some(|| schema_for!(replay::Replayed))),
            handler: |app, call| Box::pin(replay::replay(app, call)),
        },
    ],
    direct: None,
    settings: Vec::new,
};

async fn list(app: &App, call: Call) -> Result<Reply, Problem> {
    let hook = call.query_id::<HookId>("hook")?;
    let subscriber = call.query_id::<SubscriberId>("subscriber")?;
    let event_type = call.query("type");
    let (after, before) = (call.query_time("after")?, call.query_time("before")?);
    let limit = call.limit()?;
    let listing = app.store.events_about(subscriber.as_ref(), after, before, call.position("events")?);
    let keep = |entry: &Entry| plan::is_of(entry, hook.as_ref(), event_type.as_deref());
    let id = |entry: &Entry| EventKey::parse(&entry.sort).map(|key| key.id.to_string());
    let is_summary = crate::is_summary(&call)?;
    let page = app.store.page_of(listing, limit, keep, id, |item| Ok(Some(show(item, is_summary)?))).await?;
    Reply::page(page.items, call.cursor("events", page.next))
}

fn show(item: Item, is_summary: bool) -> Result<Box<RawValue>, StoreError> {
    let event: StoredEvent = from_item(item)?;
    let opened = event.open()?;
    let envelope = opened.envelope()?;
    Ok(if is_summary { envelope.summary().shown()? } else { envelope.shown()? })
}

async fn get(app: &App, call: Call) -> Result<Reply, Problem> {
    let id: EventId = call.id("event")?;
    let show = |event: StoredEvent| Ok(Some(event.open()?.envelope()?.shown()?));
    let reply = crate::reply_or_id(id.as_str(), "event", app.store.event(&id).await, show)?;
    Ok(Reply { event: Some(id.to_string()), ..reply })
}

async fn find(app: &App, id: &EventId) -> Result<StoredEvent, Problem> {
    app.store.event(id).await?.ok_or_else(|| Problem::not_found("event"))
}

async fn raw(app: &App, call: Call) -> Result<Reply, Problem> {
    let id: EventId = call.id("event")?;
    let event = find(app, &id).await?;
    let body = event.raw.ok_or_else(|| Problem::not_found("body; none is kept"))?;
    Ok(Reply { event: Some(id.to_string()), ..crate::raw::reply(id.as_str(), body, event.encoding.as_deref())? })
}
