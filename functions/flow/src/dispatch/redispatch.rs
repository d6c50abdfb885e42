//! Redispatch: folds kept events again, for those that dispatch set aside or gave up.

use super::{person, take_away};
use models::{
    EventId, Profile, Timestamp,
    event::OpenEvent,
    records::{StoredSubscriber, StoredTakeover},
};
use runtime::{App, store::StoreError};
use std::{collections::BTreeSet, slice};

/// The effects of a redispatch.
#[derive(Debug, Default)]
pub struct Redispatched {
    /// Events whose fold changed their person's record.
    pub folded: u64,
    /// Takeovers that were missing.
    pub takeovers: u64,
    /// Events that came before their person's erasure. They are erased, as dispatch would have done.
    pub late: BTreeSet<EventId>,
}

/// Folds events of one person, or of nobody known, and creates their missing takeovers. Folding an event twice gives the
/// same record as folding it once. A dry run only counts.
pub async fn redispatch(app: &App, events: &[OpenEvent<'_>], dry_run: bool) -> Result<Redispatched, StoreError> {
    let missing = missing_takeovers(app, events).await?;
    // Before the person is read, as dispatch does: an erasure in between is seen then.
    if !dry_run {
        for takeover in &missing {
            app.store.put_takeover(takeover).await?;
        }
    }
    let (late, folded) = fold(app, events, dry_run).await?;
    if !dry_run {
        for late in &late {
            take_away(app, late).await?;
        }
    }
    let late: BTreeSet<EventId> = late.into_iter().map(|late| late.key.id.clone()).collect();
    let takeovers = missing.iter().filter(|takeover| !late.contains(&takeover.event)).count() as u64;
    Ok(Redispatched { folded, takeovers, late })
}

async fn missing_takeovers(app: &App, events: &[OpenEvent<'_>]) -> Result<Vec<StoredTakeover>, StoreError> {
    let mut missing = Vec::new();
    for takeover in events.iter().filter(|event| event.stored.raw.is_some()).filter_map(StoredTakeover::told) {
        if app.store.record::<StoredTakeover>(&takeover.place.pk).await?.is_none() {
            missing.push(takeover);
        }
    }
    Ok(missing)
}

/// Folds the events. Returns those that came too late, and the number of those that changed the person's record.
async fn fold<'e>(
    app: &App,
    events: &'e [OpenEvent<'e>],
    dry_run: bool,
) -> Result<(Vec<&'e OpenEvent<'e>>, u64), StoreError> {
    let Some(id) = events.first().and_then(|event| event.stored.subscriber()) else { return Ok((Vec::new(), 0)) };
    let stored: Option<StoredSubscriber> = app.store.record(id.as_str()).await?;
    let mut profile = stored.as_ref().map(StoredSubscriber::open).transpose()?.flatten();
    if dry_run {
        return Ok(fold_counting(&mut profile, stored.and_then(|stored| stored.erased_at), events));
    }
    let mut reread = 0;
    for event in events {
        if profile.as_ref().is_some_and(|profile| profile.has_earlier(&event.key.id, event.stored.rev)) {
            person::take_back(app, &id, event).await?;
            reread += 1;
        }
    }
    let (late, folded) =
        app.store.change_profile(&id, |profile, erased_at| fold_counting(profile, erased_at, events)).await?;
    Ok((late, folded.max(reread)))
}

fn fold_counting<'e>(
    profile: &mut Option<Profile>,
    erased_at: Option<Timestamp>,
    events: &'e [OpenEvent<'e>],
) -> (Vec<&'e OpenEvent<'e>>, u64) {
    let (mut late, mut folded) = (Vec::new(), 0);
    for event in events {
        let before = profile.clone();
        late.extend(person::fold_into(profile, erased_at, slice::from_ref(event)));
        folded += u64::from(*profile != before);
    }
    (late, folded)
}
