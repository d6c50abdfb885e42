//! Subscribers: the people in events; listed, read, erased.

mod erase;
mod mentions;

use crate::{CURSOR, LIMIT, READ};
use app::{App, Function, Route};
use http::StatusCode;
use models::{
    Subscriber, SubscriberId,
    records::{RecordKind, StoredSubscriber},
};
use serde_json::value::{RawValue, to_raw_value};
use store::{
    Item, StoreError, from_item,
    list::{Entry, HIGHEST_SORT_KEY},
    text_of,
};
use web::{Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

pub static FUNCTION: Function =
    Function { name: "api-subscribers", routes: &[LIST, GET, erase::ROUTE], direct: None, settings: Vec::new };

const LIST_QUERY: &[Query] = &[
    Query {
        name: "platform",
        description: "Only subscribers of this platform.",
        value: QueryValue::OneOf(registry::NAMES),
    },
    Query { name: "tag", description: "Only subscribers with this tag.", value: QueryValue::Text },
    LIMIT,
    CURSOR,
];

const LIST: Route =
    Route::get("/v1/subscribers", READ, "List subscribers, the most recently first seen first", |app, request| {
        Box::pin(list(app, request))
    })
    .with_query(LIST_QUERY)
    .answers_with(StatusCode::OK, crate::page_of_any::<Subscriber>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let platform = request.query("platform");
    if platform.as_deref().is_some_and(|name| !registry::NAMES.contains(&name)) {
        return Err(Problem::invalid_query("platform", "must be a platform of the catalogue"));
    }
    let tag = request.query("tag");
    let until = request.position("subscribers")?.unwrap_or_else(|| HIGHEST_SORT_KEY.to_owned());
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
    let page = app.store.page_of(listing, request.limit()?, keep, id, show).await?;
    respond::page(page.items, request.cursor("subscribers", page.next))
}

const GET: Route =
    Route::get("/v1/subscribers/{id}", READ, "Get a subscriber", |app, request| Box::pin(get(app, request)))
        .answers_with(StatusCode::OK, crate::schema_or_id::<Subscriber>);

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let id: SubscriberId = request.id("subscriber")?;
    let show = |stored: StoredSubscriber| {
        let subscriber = stored.open()?.map(|profile| profile.into_subscriber(id.clone()));
        Ok(subscriber.map(|subscriber| to_raw_value(&subscriber)).transpose()?)
    };
    crate::reply_or_id(id.as_str(), "subscriber", app.store.record(id.as_str()).await, show)
}
