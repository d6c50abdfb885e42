//! Checkpoint records: listed and got.

use crate::{AFTER, BEFORE, CURSOR, LIMIT, READ};
use http::{Method, StatusCode};
use models::{
    CheckpointRecord, RecordId, SubscriberId, Timestamp,
    ids::lower_bound,
    records::{RecordKind, StoredCheckpointRecord},
};
use runtime::{
    App, Body, Call, Function, Problem, Query, Reply, Route,
    store::{Item, StoreError, from_item, list::END},
};
use schemars::schema_for;
use serde_json::value::{RawValue, to_raw_value};

pub static FUNCTION: Function = Function {
    name: "api-checkpoint-records",
    routes: &[
        Route {
            method: Method::GET,
            path: "/v1/checkpoint-records",
            access: READ,
            summary: "List the checkpoint records",
            query: &[
                Query { name: "checkpoint", description: "Only the records of the checkpoint of this name." },
                Query { name: "subscriber", description: "Only the records of this subscriber." },
                AFTER,
                BEFORE,
                LIMIT,
                CURSOR,
            ],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of(schema_for!(CheckpointRecord)))),
            handler: |app, call| Box::pin(list(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/checkpoint-records/{id}",
            access: READ,
            summary: "Get a checkpoint record",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(CheckpointRecord))),
            handler: |app, call| Box::pin(get(app, call)),
        },
    ],
    direct: None,
    settings: Vec::new,
};

async fn list(app: &App, call: Call) -> Result<Reply, Problem> {
    let checkpoint = call.query("checkpoint");
    let subscriber = call.query_id::<SubscriberId>("subscriber")?;
    let bound = |at: Timestamp| lower_bound(RecordId::PREFIX, at);
    let after = call.query_time("after")?.map(|at| bound(Timestamp::from_millis(at.millis() + 1)));
    let from = after.unwrap_or_else(|| RecordId::PREFIX.to_owned());
    let before = call.query_time("before")?.map_or_else(|| format!("{}{END}", RecordId::PREFIX), bound);
    let limit = call.limit()?;
    let until = call.position("checkpoint-records")?.map_or(before.clone(), |position| position.min(before));
    let listing = match &subscriber {
        Some(subscriber) => app.store.records_of(subscriber, from, until),
        None => app.store.records(RecordKind::CheckpointRecord, from, until),
    };
    let show = |item: Item| -> Result<Option<Box<RawValue>>, StoreError> {
        let record = from_item::<StoredCheckpointRecord>(item)?.into_record();
        let wanted = checkpoint.is_none() || record.checkpoint == checkpoint;
        Ok(if wanted { Some(to_raw_value(&record)?) } else { None })
    };
    let page = app.store.page_of(listing, limit, |_| true, show).await?;
    Reply::page(page.items, call.cursor("checkpoint-records", page.next))
}

async fn get(app: &App, call: Call) -> Result<Reply, Problem> {
    let id: RecordId = call.id("checkpoint record")?;
    let record = app.store.record::<StoredCheckpointRecord>(id.as_str()).await?;
    Reply::ok(&record.ok_or_else(|| Problem::not_found("checkpoint record"))?.into_record())
}
