//! Takes events from the table's stream into the records: subscribers, checkpoint records, takeovers.
//!
//! A record of the stream may come again, late, and while another worker handles another event of the same person. So
//! what an event tells is folded in by the event's own time, and whatever is written is written on condition or is the
//! same however often it is written.

mod change;
mod lambda;
mod person;

use crate::dead_letters::{DeadLetter, DeadLetters};
use change::Change;
use futures::{StreamExt as _, stream};
use models::{
    event::OpenEvent,
    records::{StoredCheckpointRecord, StoredTakeover},
};
use runtime::{App, store::StoreError};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
};

pub use lambda::serve;

/// How many people's events are handled at once.
const CONCURRENCY: usize = 8;

/// Handles a batch of stream records, as Lambda has them in `Records`. Answers the sequence numbers of those to be
/// tried again; what can't ever be handled is set aside.
pub async fn dispatch(app: &App, letters: &dyn DeadLetters, records: Vec<Value>) -> Vec<String> {
    let (mut changes, mut failed) = (Vec::new(), Vec::new());
    for record in records {
        match Change::read(record) {
            Ok(Some(change)) => changes.push(change),
            Ok(None) => {}
            Err(poison) => failed.extend(set_aside(letters, poison.letter, poison.sequence_number).await),
        }
    }
    let lanes = stream::iter(lanes(changes)).map(|lane| handle_lane(app, letters, lane));
    let handled: Vec<Vec<String>> = lanes.buffer_unordered(CONCURRENCY).collect().await;
    failed.extend(handled.into_iter().flatten());
    failed
}

/// A lane for each person. Two changes of one event have to be handled in their order, and a remap may have moved it
/// between people: then one lane for all.
fn lanes(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let keys: BTreeSet<&str> = changes.iter().map(|change| change.new.pk.as_str()).collect();
    if keys.len() < changes.len() {
        return vec![changes];
    }
    let mut lanes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for change in changes {
        let person = change.new.subscriber().map_or_else(|| change.new.pk.clone(), String::from);
        lanes.entry(person).or_default().push(change);
    }
    lanes.into_values().collect()
}

async fn handle_lane(app: &App, letters: &dyn DeadLetters, lane: Vec<Change>) -> Vec<String> {
    let together = |a: &Change, b: &Change| {
        a.retold().is_none() && b.retold().is_none() && a.new.subscriber() == b.new.subscriber()
    };
    let mut failed = Vec::new();
    for changes in lane.chunk_by(together) {
        match handle(app, changes).await {
            Ok(()) => {}
            // One of them is at fault: each by itself tells which.
            Err(StoreError::Malformed(_) | StoreError::Refused(_)) => {
                for change in changes {
                    failed.extend(handle_alone(app, letters, change).await);
                }
            }
            Err(error) => failed.extend(changes.iter().map(|change| to_be_tried_again(change, &error))),
        }
    }
    failed
}

async fn handle_alone(app: &App, letters: &dyn DeadLetters, change: &Change) -> Option<String> {
    match handle(app, slice::from_ref(change)).await {
        Ok(()) => None,
        Err(error @ (StoreError::Malformed(_) | StoreError::Refused(_))) => {
            let letter = DeadLetter { event: change.new.pk.clone(), reason: chain(&error) };
            set_aside(letters, letter, change.sequence_number.clone()).await
        }
        Err(error) => Some(to_be_tried_again(change, &error)),
    }
}

fn to_be_tried_again(change: &Change, error: &StoreError) -> String {
    tracing::warn!(event = change.new.pk, cause = chain(error), "an event is to be dispatched again");
    change.sequence_number.clone()
}

/// Handles changes of one person's events.
async fn handle(app: &App, changes: &[Change]) -> Result<(), StoreError> {
    let mut opened = Vec::with_capacity(changes.len());
    for change in changes {
        opened.push(change.new.open()?);
    }
    for (change, event) in changes.iter().zip(&opened) {
        put_records(app, change, event).await?;
    }
    for (change, event) in changes.iter().zip(&opened) {
        if change.retold().is_some() {
            person::take_back(app, change, event).await?;
        }
    }
    for late in person::fold(app, &opened).await? {
        remove_records(app, late).await?;
        app.store.scrub(late.stored.clone()).await?;
    }
    for event in opened.iter().filter(|event| event.stored.raw.is_none()) {
        remove_records(app, event).await?;
    }
    Ok(())
}

/// Writes the checkpoint record or the takeover that an event tells, before the person is looked at: an erasure that
/// comes between is seen then, and takes them away again.
async fn put_records(app: &App, change: &Change, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    if event.stored.raw.is_none() {
        return Ok(());
    }
    match StoredCheckpointRecord::told(event) {
        Some(record) => app.store.put_checkpoint_record(&record).await?,
        None if change.retold().is_some() => app.store.remove_record(event.key.id.record().as_str()).await?,
        None => {}
    }
    match StoredTakeover::told(event) {
        Some(takeover) if change.retold().is_some() => app.store.retell_takeover(&takeover).await,
        Some(takeover) => app.store.put_takeover(&takeover).await,
        None => Ok(()),
    }
}

async fn remove_records(app: &App, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    app.store.remove_record(event.key.id.record().as_str()).await?;
    app.store.remove_record(event.key.id.takeover().as_str()).await
}

/// Sets a record aside. If even that fails, it is to be tried again.
async fn set_aside(letters: &dyn DeadLetters, letter: DeadLetter, sequence_number: String) -> Option<String> {
    tracing::error!(event = letter.event, cause = letter.reason, "an event can't be dispatched and is set aside");
    match letters.set_aside(letter).await {
        Ok(()) => None,
        Err(error) => {
            tracing::error!(cause = error.to_string(), "the dead-letter queue can't be reached");
            Some(sequence_number)
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
