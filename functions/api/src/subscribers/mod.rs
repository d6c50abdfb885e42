//! Subscribers: the people that the events tell of; listed, got, erased.

mod erase;
mod names;

use crate::{ADMIN, CURSOR, LIMIT, READ};
use http::{Method, StatusCode};
use models::{
    Subscriber, SubscriberId,
    records::{RecordKind, StoredSubscriber},
};
use runtime::{
    App, Body, Call, Function, Problem, Query, QueryValue, Reply, Route,
    store::{
        Item, StoreError, from_item,
        list::{END, Entry},
        text_of,
    },
};
use schemars::schema_for;
use serde_json::value::{RawValue, to_raw_value};

pub static FUNCTION: Function = Function {
    name: "api-subscribers",
    routes: &[
        Route {
            method: Method::GET,
            path: "/v1/subscribers",
            access: READ,
            summary: "List the subscribers, those first seen last first",
            query: &[
                Query {
                    name: "platform",
                    description: "Only the subscribers of this platform.",
                    value: QueryValue::OneOf(registry::NAMES),
                },
                Query { name: "tag", description: "Only the subscribers with this tag.", value: QueryValue::Text },
                LIMIT,
                CURSOR,
            ],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(schema_for!(Subscriber)))),
            handler: |app, call| Box::pin(list(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/subscribers/{id}",
            access: READ,
            summary: "Get a subscriber",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::schema_or_id(schema_for!(Subscriber)))),
            handler: |app, call| Box::pin(get(app, call)),
        },
        Route {
            method: Method::DELETE,
            path: "/v1/subscribers/{id}",
            access: ADMIN,
            summary: "Erase a person: the record, checkpoint records and takeovers, and personal data in kept events",
            query: &[],
            body: Body::None,
            success: (StatusCode::NO_CONTENT, None),
            handler: |app, call| Box::pin(erase::erase(app, call)),
        },
    ],
    direct: None,
    settings: Vec::new,
};

async fn list(app: &App, call: Call) -> Result<Reply, Problem> {
    let platform = call.query("platform");
    if platform.as_deref().is_some_and(|name| !registry::NAMES.contains(&name)) {
        return Err(Problem::invalid_query("platform", "is no platform of ours"));
    }
    let tag = call.query("tag");
    let until = call.position("subscribers")?.unwrap_or_else(|| END.to_owned());
    let listing = app.store.records(RecordKind::Subscriber, "!".to_owned(), until);
    let keep = |entry: &Entry| platform.as_deref().is_none_or(|name| entry.sort.ends_with(&format!(" {name}")));
    let show = |item: Item| -> Result<Option<Box<RawValue>>, StoreError> {
        let Ok(id) = text_of(&item, "pk").parse::<SubscriberId>() else { return Ok(None) };
        let Some(profile) = from_item::<StoredSubscriber>(item)?.open()? else { return Ok(None) };
        let subscriber = profile.into_subscriber(id);
        let wanted = tag.as_ref().is_none_or(|tag| subscriber.tags.contains(tag));
        Ok(if wanted { Some(to_raw_value(&subscriber)?) } else { None })
    };
    let id = |entry: &Entry| tag.is_none().then(|| entry.pk.clone());
    let page = app.store.page_of(listing, call.limit()?, keep, id, show).await?;
    Reply::page(page.items, call.cursor("subscribers", page.next))
}

async fn get(app: &App, call: Call) -> Result<Reply, Problem> {
    let id: SubscriberId = call.id("subscriber")?;
    let show = |stored: StoredSubscriber| {
        let subscriber = stored.open()?.map(|profile| profile.into_subscriber(id.clone()));
        Ok(subscriber.map(|subscriber| to_raw_value(&subscriber)).transpose()?)
    };
    crate::reply_or_id(id.as_str(), "subscriber", app.store.record(id.as_str()).await, show)
}
