//! Dispatch: folds events from the table's stream into subscribers and takeovers, then makes a delivery for each
//! matching route.
//!
//! A batch's new events are handled together, in few requests (`lane_batch`). Other changes are handled one by one:
//! remaps, erasures, conflicts with another writer, malformed events.
//!
//! Stream records are delivered at least once, possibly late, and concurrently with other events of the same person. So
//! events are folded by their own time, and each write is conditional or idempotent.

mod change;
mod lambda;
mod lane_batch;
mod person;
mod redispatch;

use crate::{
    dead_letters::{DeadLetter, DeadLetters},
    fan_out::{self, Filters, Routes},
    pending,
};
use app::App;
use change::Change;
use futures::{StreamExt as _, stream};
use models::{
    DeliveryId, StoredDelivery, StoredEvent, causes, delivery::Message, event::OpenEvent, records::StoredTakeover,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
    sync::Arc,
};
use store::{StoreError, routes::EventRoute};

pub use lambda::serve;
pub use redispatch::{Redispatched, redispatch};

/// Time by which an attempt has ended, or its function has died.
const ATTEMPTS_END_SECONDS: u64 = 120;
/// Number of people whose events are handled concurrently, if not together.
const CONCURRENCY: usize = 8;
/// Limit on the bodies that are parsed at a time, in bytes. A parsed body takes up to 160 times its size, and a batch
/// may hold 6 MB of bodies.
const MAX_READ_BYTES: usize = 1 << 20;

/// Deliveries to make, each with the sequence number of its event's record.
type Deliveries = Vec<(String, StoredDelivery)>;

/// State that dispatching needs besides the app, made once.
pub struct Dispatcher {
    letters: Arc<dyn DeadLetters>,
    filters: Filters,
}

/// Outcome of a lane.
#[derive(Default)]
struct Handled {
    /// Sequence numbers of the records to retry.
    failed: Vec<String>,
    deliveries: Deliveries,
}

impl Dispatcher {
    pub fn new(letters: Arc<dyn DeadLetters>) -> Self {
        Self { letters, filters: Filters::default() }
    }

    /// Handles a batch of stream records, in the form of Lambda's `Records`. Returns the sequence numbers to retry.
    /// Records that can never be handled are set aside.
    pub async fn dispatch(&self, app: &App, records: Vec<Value>) -> Vec<String> {
        let (mut changes, mut failed) = (Vec::new(), Vec::new());
        for record in records {
            match Change::read(record) {
                Ok(Some(change)) => changes.push(change),
                Ok(None) => {}
                Err(malformed) => failed.extend(self.set_aside(malformed.letter, malformed.sequence_number).await),
            }
        }
        // Routes are loaded for each batch, so that a route applies to every event after it. Without routes, people and
        // takeovers are still updated, and the whole batch is retried for its deliveries.
        let routes = Routes::load(app, &self.filters).await.unwrap_or_else(|error| {
            failed.extend(changes.iter().map(|change| retry_record(change, &error)));
            Routes::default()
        });
        let lanes = lanes(changes);
        let (mut deliveries, mut alone) = (Deliveries::new(), Vec::new());
        for lanes in runs(&lanes, |lane| bytes(lane)) {
            for (lane, handled) in lanes.iter().zip(lane_batch::handle(app, &routes, lanes).await) {
                match handled {
                    Some(made) => deliveries.extend(made),
                    None => alone.push(lane),
                }
            }
        }
        let (light, heavy): (Vec<_>, Vec<_>) =
            alone.into_iter().partition(|lane| bytes(lane) <= MAX_READ_BYTES / CONCURRENCY);
        for (lanes, concurrency) in [(light, CONCURRENCY), (heavy, 1)] {
            let mut handling = Vec::new();
            for lane in lanes {
                handling.push(self.handle_lane(app, &routes, lane));
            }
            let handled: Vec<Handled> = stream::iter(handling).buffer_unordered(concurrency).collect().await;
            for lane in handled {
                failed.extend(lane.failed);
                deliveries.extend(lane.deliveries);
            }
        }
        failed.extend(start_deliveries(app, deliveries).await);
        failed.sort_unstable();
        failed.dedup();
        failed
    }

    async fn handle_lane(&self, app: &App, routes: &Routes, lane: &[Change]) -> Handled {
        let lane_batch = |a: &Change, b: &Change| {
            a.previous_reading().is_none() && b.previous_reading().is_none() && a.new.subscriber() == b.new.subscriber()
        };
        let mut lane_handled = Handled::default();
        for changes in lane.chunk_by(lane_batch).flat_map(|changes| runs(changes, Change::bytes)) {
            match handle(app, routes, changes).await {
                Ok(deliveries) => lane_handled.deliveries.extend(deliveries),
                // One of the changes is faulty: handling each alone finds it.
                Err(StoreError::Malformed(_) | StoreError::Refused(_)) => {
                    for change in changes {
                        self.handle_alone(app, routes, change, &mut lane_handled).await;
                    }
                }
                Err(error) => {
                    lane_handled.failed.extend(changes.iter().map(|change| retry_record(change, &error)));
                }
            }
        }
        lane_handled
    }

    async fn handle_alone(&self, app: &App, routes: &Routes, change: &Change, handled: &mut Handled) {
        match handle(app, routes, slice::from_ref(change)).await {
            Ok(deliveries) => handled.deliveries.extend(deliveries),
            Err(error @ (StoreError::Malformed(_) | StoreError::Refused(_))) => {
                let letter = DeadLetter { event: change.new.id_or_key(), reason: causes(&error) };
                handled.failed.extend(self.set_aside(letter, change.sequence_number.clone()).await);
            }
            Err(error) => handled.failed.push(retry_record(change, &error)),
        }
    }

    /// Sets a record aside. If even that fails, returns its sequence number for a retry.
    async fn set_aside(&self, letter: DeadLetter, sequence_number: String) -> Option<String> {
        tracing::error!(
            event = letter.event,
            cause = letter.reason,
            "an event can't be dispatched; it goes to the dead-letter queue"
        );
        match self.letters.set_aside(letter).await {
            Ok(()) => None,
            Err(error) => {
                tracing::error!(
                    cause = causes(error.as_ref()),
                    "the dead-letter queue is unavailable; the event will be dispatched again"
                );
                Some(sequence_number)
            }
        }
    }
}

/// One lane of changes per person. Two changes of one event must be handled in order, and a remap may have moved it
/// between people: in that case all changes share one lane.
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

fn bytes(lane: &[Change]) -> usize {
    lane.iter().map(Change::bytes).sum()
}

/// Splits items into runs whose bodies can be parsed at a time. A larger item is a run of its own.
fn runs<T>(items: &[T], bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let (mut runs, mut rest) = (Vec::new(), items);
    while !rest.is_empty() {
        let mut sum = 0;
        let fitting = rest.iter().take_while(|item| {
            sum += bytes(item);
            sum <= MAX_READ_BYTES
        });
        let (run, after) = rest.split_at(fitting.count().max(1));
        runs.push(run);
        rest = after;
    }
    runs
}

fn retry_record(change: &Change, error: &StoreError) -> String {
    tracing::warn!(
        event = change.new.id_or_key(),
        cause = causes(error),
        "an event failed and will be dispatched again"
    );
    change.sequence_number.clone()
}

/// Starts deliveries. Returns the sequence numbers of those that may not have been started.
async fn start_deliveries(app: &App, deliveries: Deliveries) -> BTreeSet<String> {
    let (numbers, mut deliveries): (BTreeSet<String>, Vec<StoredDelivery>) = deliveries.into_iter().unzip();
    match pending::start(app, &mut deliveries).await {
        Ok(()) => BTreeSet::new(),
        Err(error) => {
            tracing::error!(
                cause = causes(&error),
                "deliveries were not started; their events will be dispatched again"
            );
            numbers
        }
    }
}

/// Handles changes of one person's events. Returns the deliveries to make.
async fn handle(app: &App, routes: &Routes, changes: &[Change]) -> Result<Deliveries, StoreError> {
    let mut opened = Vec::with_capacity(changes.len());
    for change in changes {
        opened.push(change.new.open()?);
    }
    for (change, event) in changes.iter().zip(&opened) {
        put_takeover(app, change, event).await?;
    }
    for (change, event) in changes.iter().zip(&opened) {
        if let Some(person) = change.previous_reading().and_then(StoredEvent::subscriber) {
            person::take_back(app, &person, event).await?;
        }
    }
    let late = person::fold(app, &opened).await?;
    for late in &late {
        erase_late_event(app, late).await?;
    }
    for event in opened.iter().filter(|event| event.stored.is_erased()) {
        remove_takeover(app, event).await?;
        check_later(app, routes, event).await?;
    }
    let mut deliveries = Vec::new();
    for (change, event) in changes.iter().zip(&opened) {
        let is_late = late.iter().any(|late| late.key == event.key);
        if change.is_new() && !is_late && !event.stored.is_erased() {
            deliveries.extend(deliveries_of(app, routes, change, event)?);
        }
    }
    Ok(deliveries)
}

fn deliveries_of(app: &App, routes: &Routes, change: &Change, event: &OpenEvent<'_>) -> Result<Deliveries, StoreError> {
    let when = pending::with_message(app, app.now());
    let made = routes.of(event)?.into_iter().map(|route| fan_out::delivery(app, event, route, None, when));
    Ok(made.map(|delivery| (change.sequence_number.clone(), delivery)).collect())
}

/// Schedules another check of an erased event's deliveries, for a time when no earlier attempt can still be running. A
/// delivery before its first attempt is not stored yet, so the erasure could not find it.
async fn check_later(app: &App, routes: &Routes, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    let Some(queue) = app.queue() else { return Ok(()) };
    let at = app.now().plus_seconds(ATTEMPTS_END_SECONDS);
    let message = |route: &EventRoute| {
        let delivery = DeliveryId::derive(&event.key.id, &route.id, None);
        Message { delivery, route: route.id.clone(), at, is_first: false }
    };
    let messages = routes.candidates(&event.key).map(message).collect();
    queue.send(messages).await.map_err(StoreError::Unavailable)
}

/// Writes the event's takeover before the person is read. An erasure in between is then noticed, and removes the
/// takeover.
async fn put_takeover(app: &App, change: &Change, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    if event.stored.raw.is_none() {
        return Ok(());
    }
    match StoredTakeover::from_event(event) {
        Some(takeover) if change.previous_reading().is_some() => app.store.update_takeover_reading(&takeover).await,
        Some(takeover) => app.store.put_takeover(&takeover).await,
        None => Ok(()),
    }
}

/// Erases an event that is older than its person's erasure.
async fn erase_late_event(app: &App, late: &OpenEvent<'_>) -> Result<(), StoreError> {
    remove_takeover(app, late).await?;
    app.store.scrub(late.stored.clone(), app.event_expires()).await
}

/// Removes the takeover of an event that requests one, or did before its person was erased.
async fn remove_takeover(app: &App, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    match StoredTakeover::from_event(event) {
        Some(takeover) => app.store.remove_takeover(&takeover.place.pk).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_parsed_together_up_to_a_megabyte() {
        let lengths = |items: &[usize]| runs(items, |bytes| *bytes).iter().map(|run| run.len()).collect::<Vec<_>>();
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[10_000; 100]), [100]);
        assert_eq!(lengths(&[256 << 10; 24]), [4; 6]);
        assert_eq!(lengths(&[1, 2 << 20, 1, 1]), [1, 1, 2]);
        assert_eq!(lengths(&[0; 3]), [3]);
    }
}
