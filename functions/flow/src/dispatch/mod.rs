//! Takes events from the table's stream into the records: subscribers and takeovers. Then makes a delivery for each route
//! that an event is for.
//!
//! A batch's new events are handled together, in few requests (`together`). What that does not do is handled by itself:
//! remaps, erasures, a person whom another writer has changed meanwhile, whatever is at fault.
//!
//! A record of the stream may come again, late, and while another worker handles another event of the same person. So
//! what an event tells is folded in by the event's own time, and whatever is written is written on condition or is the
//! same however often it is written.

mod change;
mod lambda;
mod person;
mod redispatch;
mod together;

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

/// An attempt has ended by then, or died with its function.
const ATTEMPTS_END_SECONDS: u64 = 120;
/// How many people's events are handled at once that are not handled together.
const CONCURRENCY: usize = 8;
/// Bytes of the bodies that are read at once. A body takes up to 160 times its size in memory once it is read, and a batch
/// may hold 6 MB of them.
const MOST_READ_BYTES: usize = 1 << 20;

/// The deliveries to make, each with the sequence number of its event's record.
type Deliveries = Vec<(String, StoredDelivery)>;

/// What dispatching needs besides the app; made once.
pub struct Dispatcher {
    letters: Arc<dyn DeadLetters>,
    filters: Filters,
}

/// What became of a lane.
#[derive(Default)]
struct Handled {
    /// The sequence numbers of what is to be tried again.
    failed: Vec<String>,
    deliveries: Deliveries,
}

impl Dispatcher {
    pub fn new(letters: Arc<dyn DeadLetters>) -> Self {
        Self { letters, filters: Filters::default() }
    }

    /// Handles a batch of stream records, as Lambda has them in `Records`. Answers the sequence numbers of those to be
    /// tried again; what can't ever be handled is set aside.
    pub async fn dispatch(&self, app: &App, records: Vec<Value>) -> Vec<String> {
        let (mut changes, mut failed) = (Vec::new(), Vec::new());
        for record in records {
            match Change::read(record) {
                Ok(Some(change)) => changes.push(change),
                Ok(None) => {}
                Err(poison) => failed.extend(self.set_aside(poison.letter, poison.sequence_number).await),
            }
        }
        // Read anew for each batch, so that a route is there for whatever came after it. Without them people and takeovers
        // are kept up to date all the same, and the whole batch comes again for its deliveries.
        let routes = Routes::load(app, &self.filters).await.unwrap_or_else(|error| {
            failed.extend(changes.iter().map(|change| to_be_tried_again(change, &error)));
            Routes::default()
        });
        let lanes = lanes(changes);
        let (mut deliveries, mut alone) = (Deliveries::new(), Vec::new());
        for lanes in runs(&lanes, |lane| bytes(lane)) {
            for (lane, handled) in lanes.iter().zip(together::handle(app, &routes, lanes).await) {
                match handled {
                    Some(made) => deliveries.extend(made),
                    None => alone.push(lane),
                }
            }
        }
        let (light, heavy): (Vec<_>, Vec<_>) =
            alone.into_iter().partition(|lane| bytes(lane) <= MOST_READ_BYTES / CONCURRENCY);
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
        failed.extend(begin(app, deliveries).await);
        failed.sort_unstable();
        failed.dedup();
        failed
    }

    async fn handle_lane(&self, app: &App, routes: &Routes, lane: &[Change]) -> Handled {
        let together = |a: &Change, b: &Change| {
            a.retold().is_none() && b.retold().is_none() && a.new.subscriber() == b.new.subscriber()
        };
        let mut lane_handled = Handled::default();
        for changes in lane.chunk_by(together).flat_map(|changes| runs(changes, Change::bytes)) {
            match handle(app, routes, changes).await {
                Ok(deliveries) => lane_handled.deliveries.extend(deliveries),
                // One of them is at fault: each by itself tells which.
                Err(StoreError::Malformed(_) | StoreError::Refused(_)) => {
                    for change in changes {
                        self.handle_alone(app, routes, change, &mut lane_handled).await;
                    }
                }
                Err(error) => {
                    lane_handled.failed.extend(changes.iter().map(|change| to_be_tried_again(change, &error)));
                }
            }
        }
        lane_handled
    }

    async fn handle_alone(&self, app: &App, routes: &Routes, change: &Change, handled: &mut Handled) {
        match handle(app, routes, slice::from_ref(change)).await {
            Ok(deliveries) => handled.deliveries.extend(deliveries),
            Err(error @ (StoreError::Malformed(_) | StoreError::Refused(_))) => {
                let letter = DeadLetter { event: change.event_id(), reason: causes(&error) };
                handled.failed.extend(self.set_aside(letter, change.sequence_number.clone()).await);
            }
            Err(error) => handled.failed.push(to_be_tried_again(change, &error)),
        }
    }

    /// Sets a record aside. If even that fails, it is to be tried again.
    async fn set_aside(&self, letter: DeadLetter, sequence_number: String) -> Option<String> {
        tracing::error!(event = letter.event, cause = letter.reason, "an event can't be dispatched and is set aside");
        match self.letters.set_aside(letter).await {
            Ok(()) => None,
            Err(error) => {
                tracing::error!(cause = causes(error.as_ref()), "the dead-letter queue can't be reached");
                Some(sequence_number)
            }
        }
    }
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

fn bytes(lane: &[Change]) -> usize {
    lane.iter().map(Change::bytes).sum()
}

/// Splits items into runs whose bodies can be read at once. A larger item is a run of its own.
fn runs<T>(items: &[T], bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let (mut runs, mut rest) = (Vec::new(), items);
    while !rest.is_empty() {
        let mut sum = 0;
        let fitting = rest.iter().take_while(|item| {
            sum += bytes(item);
            sum <= MOST_READ_BYTES
        });
        let (run, after) = rest.split_at(fitting.count().max(1));
        runs.push(run);
        rest = after;
    }
    runs
}

fn to_be_tried_again(change: &Change, error: &StoreError) -> String {
    tracing::warn!(event = change.new.pk, cause = causes(error), "an event is to be dispatched again");
    change.sequence_number.clone()
}

/// Begins deliveries. Answers the sequence numbers of those that may not have been begun.
async fn begin(app: &App, deliveries: Deliveries) -> BTreeSet<String> {
    let (numbers, mut deliveries): (BTreeSet<String>, Vec<StoredDelivery>) = deliveries.into_iter().unzip();
    match pending::begin(app, &mut deliveries).await {
        Ok(()) => BTreeSet::new(),
        Err(error) => {
            tracing::error!(cause = causes(&error), "deliveries are to be begun again");
            numbers
        }
    }
}

/// Handles changes of one person's events. Answers the deliveries that are to be made of them.
async fn handle(app: &App, routes: &Routes, changes: &[Change]) -> Result<Deliveries, StoreError> {
    let mut opened = Vec::with_capacity(changes.len());
    for change in changes {
        opened.push(change.new.open()?);
    }
    for (change, event) in changes.iter().zip(&opened) {
        put_takeover(app, change, event).await?;
    }
    for (change, event) in changes.iter().zip(&opened) {
        if let Some(person) = change.retold().and_then(StoredEvent::subscriber) {
            person::take_back(app, &person, event).await?;
        }
    }
    let late = person::fold(app, &opened).await?;
    for late in &late {
        take_away(app, late).await?;
    }
    for event in opened.iter().filter(|event| event.stored.is_erased()) {
        remove_takeover(app, event).await?;
        look_again(app, routes, event).await?;
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
    let when = pending::until(app, app.now());
    let made = routes.of(event)?.into_iter().map(|route| fan_out::delivery(app, event, route, None, when));
    Ok(made.map(|delivery| (change.sequence_number.clone(), delivery)).collect())
}

/// Has the deliveries of an erased event looked at once more, when no attempt is under way that began before: of a first
/// one there was nothing to be found yet.
async fn look_again(app: &App, routes: &Routes, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    let Some(queue) = app.queue().filter(|queue| queue.keeps()) else { return Ok(()) };
    let at = app.now().plus_seconds(ATTEMPTS_END_SECONDS);
    let message = |route: &EventRoute| {
        let delivery = DeliveryId::derive(&event.key.id, &route.id, None);
        Message { delivery, route: route.id.clone(), at, is_first: false }
    };
    let messages = routes.that_may_be_for(&event.key).map(message).collect();
    queue.send(messages).await.map_err(StoreError::Unavailable)
}

/// Writes the takeover that an event tells, before the person is looked at: an erasure that comes between is seen then,
/// and takes it away again.
async fn put_takeover(app: &App, change: &Change, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    if event.stored.raw.is_none() {
        return Ok(());
    }
    match StoredTakeover::told(event) {
        Some(takeover) if change.retold().is_some() => app.store.retell_takeover(&takeover).await,
        Some(takeover) => app.store.put_takeover(&takeover).await,
        None => Ok(()),
    }
}

/// Erases an event that came before its person's erasure.
async fn take_away(app: &App, late: &OpenEvent<'_>) -> Result<(), StoreError> {
    remove_takeover(app, late).await?;
    app.store.scrub(late.stored.clone(), app.event_expires()).await
}

/// Removes the takeover of an event that is one, or was before its person was erased.
async fn remove_takeover(app: &App, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    match StoredTakeover::told(event) {
        Some(takeover) => app.store.remove_takeover(&takeover.place.pk).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_together_up_to_a_megabyte() {
        let lengths = |items: &[usize]| runs(items, |bytes| *bytes).iter().map(|run| run.len()).collect::<Vec<_>>();
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[10_000; 100]), [100]);
        assert_eq!(lengths(&[256 << 10; 24]), [4; 6]);
        assert_eq!(lengths(&[1, 2 << 20, 1, 1]), [1, 1, 2]);
        assert_eq!(lengths(&[0; 3]), [3]);
    }
}
