//! Redispatch: folds stored events again if dispatch set them aside or gave up.

use super::{erase_late_event, person, remove_takeover};
use app::App;
use models::{EventId, Folding, Profile, SubscriberId, event::OpenEvent, records::StoredTakeover};
use std::collections::BTreeSet;
use store::StoreError;

/// The effects of a redispatch.
#[derive(Debug, Default)]
pub struct Redispatched {
    /// The person, if the fold changed the record.
    pub folded: Option<SubscriberId>,
    /// Takeovers that were missing.
    pub takeovers: u64,
    /// Events that are older than their person's erasure. They are erased, as dispatch would have done.
    pub late: BTreeSet<EventId>,
}

/// Folds events of one person, or events without a person, and creates their missing takeovers. Folding an event twice
/// gives the same record as folding it once. A dry run only counts. An event that was remapped or erased in the
/// meantime is taken back, because dispatch may have handled that change before.
pub async fn redispatch(app: &App, events: &[OpenEvent<'_>], dry_run: bool) -> Result<Redispatched, StoreError> {
    let missing = missing_takeovers(app, events).await?;
    // Takeovers are written before the person is read, as in dispatch: an erasure in between is then noticed.
    if !dry_run {
        for takeover in &missing {
            app.store.put_takeover(takeover).await?;
        }
    }
    let (late, folded) = fold(app, events, dry_run).await?;
    if !dry_run {
        for late in &late {
            erase_late_event(app, late).await?;
        }
        for event in events {
            take_back_stale(app, event).await?;
        }
    }
    let late: BTreeSet<EventId> = late.into_iter().map(|late| late.key.id.clone()).collect();
    let takeovers = missing.iter().filter(|takeover| !late.contains(&takeover.event)).count() as u64;
    Ok(Redispatched { folded, takeovers, late })
}

/// Takes back an event that has changed since it was read.
async fn take_back_stale(app: &App, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    let Some(stored) = app.store.event(&event.key.id).await?.filter(|stored| stored.rev != event.stored.rev) else {
        return Ok(());
    };
    let now = stored.open()?;
    if stored.is_erased() {
        return remove_takeover(app, &now).await;
    }
    match event.stored.subscriber() {
        Some(person) => person::take_back(app, &person, &now).await,
        None => Ok(()),
    }
}

async fn missing_takeovers(app: &App, events: &[OpenEvent<'_>]) -> Result<Vec<StoredTakeover>, StoreError> {
    let mut missing = Vec::new();
    for takeover in events.iter().filter(|event| event.stored.raw.is_some()).filter_map(StoredTakeover::from_event) {
        if app.store.record::<StoredTakeover>(&takeover.place.pk).await?.is_none() {
            missing.push(takeover);
        }
    }
    Ok(missing)
}

/// Folds the events. Returns those older than the person's erasure, and the person if the record changed.
async fn fold<'e>(
    app: &App,
    events: &'e [OpenEvent<'e>],
    dry_run: bool,
) -> Result<(Vec<&'e OpenEvent<'e>>, Option<SubscriberId>), StoreError> {
    let Some(id) = events.first().and_then(|event| event.stored.subscriber()) else { return Ok((Vec::new(), None)) };
    let mut folding = Folding::open(app.store.record(id.as_str()).await?)?;
    let is_outdated = |event: &&OpenEvent<'_>| {
        folding.profile().is_some_and(|profile| profile.has_earlier(&event.key.id, event.stored.rev))
    };
    let outdated: Vec<_> = events.iter().filter(is_outdated).collect();
    let (late, has_changed) = if dry_run {
        fold_and_compare(&mut folding, events)
    } else {
        for event in &outdated {
            person::take_back(app, &id, event).await?;
        }
        app.store.fold(&id, |folding| fold_and_compare(folding, events)).await?
    };
    Ok((late, (has_changed || !outdated.is_empty()).then_some(id)))
}

fn fold_and_compare<'e>(folding: &mut Folding, events: &'e [OpenEvent<'e>]) -> (Vec<&'e OpenEvent<'e>>, bool) {
    // Compared as stored: a profile over the size limit is folded without the parts that it has no room for.
    let stored = |folding: &Folding| folding.profile().map(Profile::to_json).and_then(Result::ok);
    let before = stored(folding);
    let late = person::fold_into(folding, events);
    (late, stored(folding) != before)
}
