//! `DELETE /v1/subscribers/{id}`: erases a person everywhere.
//!
//! The tombstone is written first: it keeps late stream records, remaps and replays from restoring the person. Then the
//! entries in all indexes are erased. If a call is cut off, the tombstone keeps the search's progress, and the next
//! call continues.

use super::mentions::mentions;
use crate::ADMIN;
use app::{App, Route};
use flow::erasure::scrub_deliveries;
use futures::future::try_join_all;
use models::{
    ConnectionId, EventId, Profile, StoredEvent, SubscriberId, TakeoverId, Timestamp, causes, event::EventKey,
    ids::lower_bound, records::StoredSubscriber,
};
use payload::{body, mapping};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::{Duration, Instant};
use store::{
    StoreError,
    events::RejectedCall,
    from_item,
    list::{Entry, HIGHEST_SORT_KEY, Listing},
};
use web::{Code, Problem, Request, RequestExt as _, Response, respond};

/// Well within API Gateway's timeout.
const TIME: Duration = Duration::from_secs(20);
const BATCH: usize = 50;
const ATTEMPTS: usize = 20;

/// Progress of an erasure.
#[derive(Serialize, Deserialize)]
struct ErasureProgress {
    /// None if neither the record nor an event of the person could be read.
    connection: Option<ConnectionId>,
    /// Later events start a new record of the person.
    until: Timestamp,
    /// Texts that identify the person in the body of a rejected call.
    identifiers: Vec<String>,
    /// Values that identify the person in an event without a person.
    unique_values: Vec<String>,
    /// Positions of the search in events without a person, and in rejected calls.
    events_position: Option<String>,
    rejected_position: Option<String>,
}

pub const ROUTE: Route = Route::delete(
    "/v1/subscribers/{id}",
    ADMIN,
    "Erase a person: the record, checkpoint records, takeovers, and personal data in stored events",
    |app, request| Box::pin(erase(app, request)),
);

pub async fn erase(app: &App, request: Request) -> Result<Response, Problem> {
    let id: SubscriberId = request.id("subscriber")?;
    let deadline = Instant::now() + TIME;
    let mut progress = write_tombstone(app, &id, request.now()).await?;
    let finished = search(app, &id, &mut progress, deadline).await?;
    store_progress(app, &id, if finished { None } else { Some(&progress) }).await?;
    if finished {
        return Ok(respond::no_content());
    }
    Err(Problem::new(Code::Unfinished, "the person is hidden and partly erased; repeat the call to finish"))
}

impl ErasureProgress {
    /// Starts a search for a person, from the record, or from the person's events if the record can't be read.
    async fn of(
        app: &App,
        id: &SubscriberId,
        now: Timestamp,
        profile: Option<Profile>,
        earlier: Option<Self>,
    ) -> Result<Self, StoreError> {
        let (mut identifiers, mut unique_values) =
            earlier.map(|earlier| (earlier.identifiers, earlier.unique_values)).unwrap_or_default();
        let (connection, last_seen) = match profile {
            Some(profile) => {
                identifiers.extend(profile.identifiers());
                unique_values.extend(profile.unique_values());
                (Some(profile.connection), profile.last_seen)
            }
            None => (connection_of(app, id).await?, now),
        };
        // Another process's clock may be ahead of this one.
        let until = now.max(last_seen);
        Ok(Self { connection, until, identifiers, unique_values, events_position: None, rejected_position: None })
    }
}

/// The connection of a person's newest event.
async fn connection_of(app: &App, id: &SubscriberId) -> Result<Option<ConnectionId>, StoreError> {
    let events = app.store.events_of(id, HIGHEST_SORT_KEY.to_owned());
    let table = events.table;
    let Some(newest) = app.store.entries(events, 1).await?.next().await? else { return Ok(None) };
    let items = app.store.read(table, &[newest]).await?.into_values();
    let events = items.map(from_item).collect::<Result<Vec<StoredEvent>, _>>()?;
    Ok(events.into_iter().find_map(|event| event.connection))
}

/// Erases all matches. Returns whether it finished in time.
async fn search(
    app: &App,
    id: &SubscriberId,
    progress: &mut ErasureProgress,
    deadline: Instant,
) -> Result<bool, Problem> {
    let store = &app.store;
    let end = |prefix: &str| lower_bound(prefix, Timestamp::from_millis(progress.until.millis() + 1));
    let events = store.events_of(id, end(EventId::PREFIX));
    if for_each_batch(app, events, deadline, |entries| scrub_events(app, entries)).await?.is_some() {
        return Ok(false);
    }
    let takeovers = store.takeovers_of(id, end(TakeoverId::PREFIX));
    if for_each_batch(app, takeovers, deadline, |entries| remove_takeovers(app, entries)).await?.is_some() {
        return Ok(false);
    }
    let Some(connection) = progress.connection.clone() else { return Ok(true) };
    let until = progress.events_position.clone().unwrap_or_else(|| end(EventId::PREFIX));
    let events = store.events_without_person(&connection, until);
    let position =
        for_each_batch(app, events, deadline, |entries| scrub_matching(app, entries, &progress.unique_values)).await?;
    if position.is_some() {
        progress.events_position = position;
        return Ok(false);
    }
    // This part of the search is finished: the position is now before all entries.
    progress.events_position = Some(EventId::PREFIX.to_owned());
    let rejected = store.rejected(&connection, progress.rejected_position.clone());
    let position =
        for_each_batch(app, rejected, deadline, |entries| scrub_rejected(app, entries, &progress.identifiers)).await?;
    progress.rejected_position = position;
    Ok(progress.rejected_position.is_none())
}

/// Replaces the subscriber by a tombstone.
async fn write_tombstone(app: &App, id: &SubscriberId, now: Timestamp) -> Result<ErasureProgress, Problem> {
    for _ in 0..ATTEMPTS {
        let stored = app.store.subscriber_to_erase(id).await?;
        let stored = stored.ok_or_else(|| Problem::not_found("subscriber"))?;
        let earlier: Option<ErasureProgress> =
            stored.erasing.as_deref().map(serde_json::from_str).transpose().map_err(StoreError::from)?;
        let profile = match stored.open() {
            Ok(None) => return earlier.ok_or_else(|| Problem::not_found("subscriber")),
            Ok(profile) => profile,
            Err(error) => {
                tracing::error!(
                    subscriber = id.as_str(),
                    cause = causes(&error),
                    "the record of a person can't be read; the person is erased by their events"
                );
                None
            }
        };
        let progress = ErasureProgress::of(app, id, now, profile, earlier).await?;
        let tombstone = StoredSubscriber {
            place: None,
            version: stored.version + 1,
            profile: None,
            erased_at: Some(progress.until),
            erasing: Some(serde_json::to_string(&progress).map_err(Problem::internal)?),
        };
        match app.store.write_subscriber(id, &tombstone).await {
            Ok(()) => return Ok(progress),
            Err(StoreError::Condition(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Condition(None).into())
}

/// Stores the progress of an erasure in the tombstone; none once it is finished.
async fn store_progress(app: &App, id: &SubscriberId, progress: Option<&ErasureProgress>) -> Result<(), Problem> {
    let erasing = progress.map(serde_json::to_string).transpose().map_err(StoreError::from)?;
    for _ in 0..ATTEMPTS {
        let Some(stored) = app.store.record::<StoredSubscriber>(id.as_str()).await? else { return Ok(()) };
        let updated = StoredSubscriber { version: stored.version + 1, erasing: erasing.clone(), ..stored };
        match app.store.write_subscriber(id, &updated).await {
            Ok(()) => return Ok(()),
            // A new event of the person was written in the meantime, which starts a new record.
            Err(StoreError::Condition(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Condition(None).into())
}

/// Works through a listing in batches. Returns the position reached when the time ran out.
async fn for_each_batch<F, W>(
    app: &App,
    listing: Listing<'_>,
    deadline: Instant,
    work: F,
) -> Result<Option<String>, StoreError>
where
    F: Fn(Vec<Entry>) -> W,
    W: Future<Output = Result<(), StoreError>>,
{
    let mut entries = app.store.entries(listing, BATCH).await?;
    loop {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some(entry) = entries.next().await? else { break };
            batch.push(entry);
        }
        let Some(last) = batch.last() else { return Ok(None) };
        let position = last.sort.clone();
        work(batch).await?;
        if Instant::now() >= deadline {
            return Ok(Some(position));
        }
    }
}

async fn scrub_events(app: &App, entries: Vec<Entry>) -> Result<(), StoreError> {
    let items = app.store.read(&app.store.tables.events, &entries).await?;
    let events = items.into_values().map(from_item).collect::<Result<Vec<StoredEvent>, _>>()?;
    try_join_all(events.into_iter().map(|event| app.store.scrub(event, app.event_expires()))).await?;
    // All events, because an earlier call may have been cut off in between.
    let keys = entries.iter().filter_map(|entry| EventKey::parse(&entry.sort));
    try_join_all(keys.map(|key| scrub_deliveries(app, key.id))).await?;
    Ok(())
}

async fn remove_takeovers(app: &App, entries: Vec<Entry>) -> Result<(), StoreError> {
    try_join_all(entries.iter().map(|entry| app.store.remove_takeover(&entry.pk))).await?;
    Ok(())
}

/// Scrubs events without a person that contain one of the person's own values.
async fn scrub_matching(app: &App, entries: Vec<Entry>, values: &[String]) -> Result<(), StoreError> {
    for item in app.store.read(&app.store.tables.events, &entries).await?.into_values() {
        let event: StoredEvent = from_item(item)?;
        let id = event.key()?.id;
        if let Some(raw) = &event.raw {
            let (body, _) = body::reread(raw, event.format());
            let query = event.query.as_deref().map(serde_json::from_str::<Value>).transpose()?.unwrap_or_default();
            if !values.iter().any(|value| contains_value(&body, value) || contains_value(&query, value)) {
                continue;
            }
            app.store.scrub(event, app.event_expires()).await?;
        }
        // An event that is already scrubbed may be from an earlier call that was cut off here.
        scrub_deliveries(app, id).await?;
    }
    Ok(())
}

/// True if a body contains this value.
fn contains_value(body: &Value, wanted: &str) -> bool {
    match body {
        Value::String(text) => text == wanted,
        // A number is compared in the form of an id.
        Value::Number(_) => mapping::text(body).is_some_and(|text| text == wanted),
        Value::Array(values) => values.iter().any(|value| contains_value(value, wanted)),
        Value::Object(fields) => fields.iter().any(|(name, value)| name == wanted || contains_value(value, wanted)),
        Value::Null | Value::Bool(_) => false,
    }
}

async fn scrub_rejected(app: &App, entries: Vec<Entry>, identifiers: &[String]) -> Result<(), StoreError> {
    for item in app.store.read(&app.store.tables.events, &entries).await?.into_values() {
        let mut call: RejectedCall = from_item(item)?;
        if identifiers.iter().any(|text| mentions(&call, text)) {
            call.body = None;
            app.store.reject(&call).await?;
        }
    }
    Ok(())
}
