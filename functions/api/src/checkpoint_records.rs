//! Checkpoint records, listed and read from their events.

use crate::{AFTER, BEFORE, CURSOR, LIMIT, READ};
use app::{App, Function, Route};
use http::StatusCode;
use models::{CheckpointRecord, RecordId, StoredEvent, SubscriberId, event::EventKey};
use serde_json::value::{RawValue, to_raw_value};
use store::{Item, StoreError, from_item, list::Entry};
use web::{Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

pub static FUNCTION: Function =
    Function { name: "api-checkpoint-records", routes: &[LIST, GET], direct: None, settings: Vec::new };

pub const LIST: Route =
    Route::get("/v1/checkpoint-records", READ, "List checkpoint records", |app, request| Box::pin(list(app, request)))
        .with_query(&[
            Query {
                name: "checkpoint",
                description: "Only the records of the checkpoint of this name.",
                value: QueryValue::Text,
            },
            Query {
                name: "subscriber",
                description: "Only the records of this subscriber.",
                value: QueryValue::Id(SubscriberId::PATTERN),
            },
            AFTER,
            BEFORE,
            LIMIT,
            CURSOR,
        ])
        .answers_with(StatusCode::OK, crate::page_of_any::<CheckpointRecord>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let checkpoint = request.query("checkpoint");
    let subscriber = request.query_id::<SubscriberId>("subscriber")?;
    let (after, before) = (request.query_time("after")?, request.query_time("before")?);
    let limit = request.limit()?;
    let position = request.position("checkpoint-records")?;
    let listing = app.store.events_about(subscriber.as_ref(), after, before, position);
    let keep = |entry: &Entry| EventKey::parse(&entry.sort).is_some_and(|key| key.is_checkpoint_record());
    let show = |item: Item| -> Result<Option<Box<RawValue>>, StoreError> {
        let record = record(&from_item(item)?)?;
        let wanted = record.filter(|record| checkpoint.is_none() || record.checkpoint == checkpoint);
        Ok(wanted.map(|record| to_raw_value(&record)).transpose()?)
    };
    // An unreadable event can't be matched to a checkpoint.
    let id = |entry: &Entry| {
        EventKey::parse(&entry.sort).filter(|_| checkpoint.is_none()).map(|key| key.id.record().to_string())
    };
    let page = app.store.page_of(listing, limit, keep, id, show).await?;
    respond::page(page.items, request.cursor("checkpoint-records", page.next))
}

const GET: Route = Route::get("/v1/checkpoint-records/{id}", READ, "Get a checkpoint record", |app, request| {
    Box::pin(get(app, request))
})
.answers_with(StatusCode::OK, crate::schema_or_id::<CheckpointRecord>);

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let id: RecordId = request.id("checkpoint record")?;
    let show = |event: StoredEvent| Ok(record(&event)?.map(|record| to_raw_value(&record)).transpose()?);
    crate::reply_or_id(id.as_str(), "checkpoint record", app.store.event(&id.event()).await, show)
}

fn record(event: &StoredEvent) -> Result<Option<CheckpointRecord>, StoreError> {
    Ok(CheckpointRecord::from_event(&event.open()?))
}
