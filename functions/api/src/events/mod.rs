//! Events: listed and got, as CloudEvents envelopes made on reading. Replayed: delivered once more.

mod replay;
mod replay_span;

use crate::{ADMIN, AFTER, BEFORE, CURSOR, LIMIT, READ};
use http::{Method, StatusCode};
use models::{Envelope, EventId, HookId, StoredEvent, SubscriberId, event::EventKey};
use runtime::{
    App, Body, Call, Function, Problem, Query, Reply, Route,
    store::{Item, StoreError, from_item, routes::is_like},
};
use schemars::schema_for;
use serde_json::value::{RawValue, to_raw_value};

pub static FUNCTION: Function = Function {
    name: "api-events",
    routes: &[
        Route {
            method: Method::GET,
            path: "/v1/events",
            access: READ,
            summary: "List the events",
            query: &[
                Query { name: "hook", description: "Only the events of this hook." },
                Query { name: "subscriber", description: "Only the events that tell of this subscriber." },
                Query {
                    name: "type",
                    description: "Only the events of this type; `*` stands for any run of characters.",
                },
                AFTER,
                BEFORE,
                LIMIT,
                CURSOR,
            ],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of(schema_for!(Envelope)))),
            handler: |app, call| Box::pin(list(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/events/replay",
            access: ADMIN,
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
            success: (StatusCode::OK, Some(|| schema_for!(Envelope))),
            handler: |app, call| Box::pin(get(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/events/{id}/replay",
            access: ADMIN,
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
    let wanted = |key: EventKey| {
        hook.as_ref().is_none_or(|hook| key.origin.hook() == Some(hook))
            && event_type.as_ref().is_none_or(|pattern| is_like(pattern, &key.event_type))
    };
    let page =
        app.store.page_of(listing, limit, |entry| EventKey::parse(&entry.sort).is_some_and(wanted), show).await?;
    Reply::page(page.items, call.cursor("events", page.next))
}

fn show(item: Item) -> Result<Option<Box<RawValue>>, StoreError> {
    let event: StoredEvent = from_item(item)?;
    Ok(Some(to_raw_value(&event.open()?.envelope()?)?))
}

async fn get(app: &App, call: Call) -> Result<Reply, Problem> {
    let id: EventId = call.id("event")?;
    let event = app.store.event(&id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let envelope = event.open().and_then(|event| event.envelope()).map_err(StoreError::from)?;
    Ok(Reply { event: Some(id.to_string()), ..Reply::ok(&envelope)? })
}
