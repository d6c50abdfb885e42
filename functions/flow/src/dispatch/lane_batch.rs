//! New events of many people, handled together. Their takeovers are stored, the people are read, the events are folded
//! in, and the changes are written, in a few requests each.
//!
//! A lane succeeds or fails as a whole. A lane that fails for any reason is handled alone, from its beginning;
//! repeating its writes is harmless.

use super::{Deliveries, MAX_READ_BYTES, change::Change, deliveries_of, person};
use crate::fan_out::Routes;
use app::App;
use models::{
    Folding, SubscriberId, causes,
    event::OpenEvent,
    records::{StoredSubscriber, StoredTakeover},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};
use store::{Item, StoreError, from_item};

/// New events of one person, or events without a person.
struct Lane<'c> {
    changes: &'c [Change],
    events: Vec<OpenEvent<'c>>,
}

/// Lanes without a failure so far, by their index.
type Lanes<'c> = BTreeMap<usize, Lane<'c>>;

/// Handles lanes together. Returns for each lane the deliveries to make, or none if it must be handled alone.
pub async fn handle(app: &App, routes: &Routes, lanes: &[Vec<Change>]) -> Vec<Option<Deliveries>> {
    let opened = lanes.iter().enumerate().filter_map(|(at, changes)| Some((at, Lane::open(changes)?)));
    let mut opened: Lanes<'_> = opened.collect();
    put_takeovers(app, &mut opened).await;
    fold(app, &mut opened).await;
    let handled = |at: usize| opened.get(&at)?.deliveries(app, routes).ok();
    (0..lanes.len()).map(handled).collect()
}

impl<'c> Lane<'c> {
    /// None unless all changes are new events of one person, small enough to be parsed together.
    fn open(changes: &'c [Change]) -> Option<Self> {
        let person = changes.first()?.new.subscriber();
        let fits = |change: &Change| {
            change.is_new() && !change.new.is_erased() && change.new.subscriber().as_ref() == person.as_ref()
        };
        // One request can't write a key twice.
        let keys: BTreeSet<&str> = changes.iter().map(|change| change.new.pk.as_str()).collect();
        let bytes: usize = changes.iter().map(Change::bytes).sum();
        if keys.len() < changes.len() || bytes > MAX_READ_BYTES || !changes.iter().all(fits) {
            return None;
        }
        let events = changes.iter().map(|change| change.new.open()).collect::<Result<_, _>>().ok()?;
        Some(Self { changes, events })
    }

    fn person(&self) -> Option<SubscriberId> {
        self.events.first()?.stored.subscriber()
    }

    /// The person's record to write; none if nothing has changed.
    fn fold(&self, id: &SubscriberId, known: Option<Item>) -> Result<Option<StoredSubscriber>, StoreError> {
        let mut folding = Folding::open(known.map(from_item).transpose()?)?;
        if !person::fold_into(&mut folding, &self.events).is_empty() {
            // The person was erased in between, which takes more than a write of the person.
            return Err(StoreError::Condition(None));
        }
        Ok(folding.changed(id)?)
    }

    fn deliveries(&self, app: &App, routes: &Routes) -> Result<Deliveries, StoreError> {
        let mut deliveries = Deliveries::new();
        for (change, event) in self.changes.iter().zip(&self.events) {
            deliveries.extend(deliveries_of(app, routes, change, event)?);
        }
        Ok(deliveries)
    }
}

/// Stores the takeovers before the people are read, as for each event alone.
async fn put_takeovers(app: &App, lanes: &mut Lanes<'_>) {
    let of_lane = |(at, lane): (&usize, &Lane<'_>)| {
        let takeovers: Vec<_> = lane.events.iter().filter_map(StoredTakeover::from_event).collect();
        takeovers.into_iter().map(|takeover| (*at, takeover)).collect::<Vec<_>>()
    };
    let (of, takeovers): (Vec<usize>, Vec<_>) = lanes.iter().flat_map(of_lane).unzip();
    let put = app.store.put_takeovers(&takeovers).await;
    keep_done(lanes, of, put);
}

/// Folds the events into their people. People are read with eventual consistency: if another writer came in between,
/// the conditional write fails. People who seem unchanged are read again with strong consistency. They would not be
/// written, so an unseen erasure would leave the takeover that was just stored.
async fn fold(app: &App, lanes: &mut Lanes<'_>) {
    let of_people = lanes.iter().filter(|(_, lane)| lane.person().is_some());
    let mut unchanged: Vec<usize> = of_people.map(|(at, _)| *at).collect();
    let (mut of, mut subscribers) = (Vec::new(), Vec::new());
    for is_consistent in [false, true] {
        let people: Vec<SubscriberId> = unchanged.iter().filter_map(|at| lanes.get(at)?.person()).collect();
        let mut known = match app.store.subscribers(&people, is_consistent).await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(cause = causes(&error), "people could not be read together; each is read alone");
                lanes.retain(|at, _| !unchanged.contains(at));
                break;
            }
        };
        for at in mem::take(&mut unchanged) {
            let Some((lane, id)) = lanes.get(&at).and_then(|lane| Some((lane, lane.person()?))) else { continue };
            match lane.fold(&id, known.remove(id.as_str())) {
                Ok(None) => unchanged.push(at),
                Ok(Some(subscriber)) => {
                    of.push(at);
                    subscribers.push((id, subscriber));
                }
                Err(_) => {
                    lanes.remove(&at);
                }
            }
        }
    }
    let written = app.store.write_subscribers(&subscribers).await;
    keep_done(lanes, of, written);
}

/// Removes the lanes with a failed write.
fn keep_done(lanes: &mut Lanes<'_>, of: Vec<usize>, written: Vec<Result<(), StoreError>>) {
    for (at, outcome) in of.into_iter().zip(written) {
        let Err(error) = outcome else { continue };
        lanes.remove(&at);
        // A conflict with another writer is expected, so it is not logged.
        if !matches!(error, StoreError::Condition(_)) {
            tracing::warn!(cause = causes(&error), "a person was not written; the events are handled alone");
        }
    }
}
