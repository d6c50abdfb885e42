//! Folds events into their person.

use app::App;
use models::{Folding, Profile, StoredEvent, SubscriberId, event::OpenEvent, records::StoredSubscriber};
use store::{StoreError, back_off, from_item, list::HIGHEST_SORT_KEY, subscribers::ATTEMPTS};

/// Number of a person's events that are folded again after a take-back. Older events keep their values.
const MAX_FOLDED_AGAIN: usize = 1_000;

/// Folds events of one person. Returns the events that are older than the person's erasure.
pub async fn fold<'e>(app: &App, events: &'e [OpenEvent<'e>]) -> Result<Vec<&'e OpenEvent<'e>>, StoreError> {
    let Some(id) = events.first().and_then(|event| event.stored.subscriber()) else { return Ok(Vec::new()) };
    app.store.fold(&id, |folding| fold_into(folding, events)).await
}

/// Folds events into a person's record. Returns the events that are older than the person's erasure.
pub fn fold_into<'e>(folding: &mut Folding, events: &'e [OpenEvent<'e>]) -> Vec<&'e OpenEvent<'e>> {
    let with_body = events.iter().filter(|event| event.stored.raw.is_some());
    let (late, timely): (Vec<_>, Vec<_>) = with_body.partition(|event| folding.is_late(&event.key.id));
    for event in timely {
        if let Some(person) = event.person() {
            folding.fold(&person, &event.key.id, event.stored.rev);
        }
    }
    late
}

/// Removes values of an event's earlier readings from a person, and adds its current reading if that still belongs to
/// the person. Both are one write: between two writes, the person would have lost values and their place in the list.
pub async fn take_back(app: &App, id: &SubscriberId, event: &OpenEvent<'_>) -> Result<(), StoreError> {
    for attempt in 0..ATTEMPTS {
        let Some(stored) = app.store.record::<StoredSubscriber>(id.as_str()).await? else { return Ok(()) };
        let Some(mut profile) = stored.open()? else { return Ok(()) };
        profile.remove_readings(&event.key.id, event.stored.rev);
        let still_this_one = event.stored.subscriber().as_ref() == Some(id);
        if still_this_one
            && !stored.is_erased_after(&event.key.id)
            && let Some(person) = event.person()
        {
            profile.fold(&person, &event.key.id, event.stored.rev);
        }
        let others = fold_again(app, id, event, &stored, &mut profile).await?;
        let written = if others > 0 || still_this_one || !profile.is_empty() {
            match profile.changed(id, Some(&stored))? {
                Some(changed) => app.store.write_subscriber(id, &changed).await,
                None => return Ok(()),
            }
        } else if stored.erased_at.is_none() {
            app.store.remove_subscriber(id, &stored).await
        } else {
            let tombstone = StoredSubscriber { place: None, version: stored.version + 1, profile: None, ..stored };
            app.store.write_subscriber(id, &tombstone).await
        };
        match written {
            Err(StoreError::Condition(_)) => back_off(attempt).await,
            done => return done,
        }
    }
    Err(StoreError::Condition(None))
}

/// Folds a person's other events again, and a later reading of the same event: a redelivered record has an earlier one.
/// Returns the number of events with data about the person.
async fn fold_again(
    app: &App,
    id: &SubscriberId,
    taken_back: &OpenEvent<'_>,
    known: &StoredSubscriber,
    profile: &mut Profile,
) -> Result<usize, StoreError> {
    let listing = app.store.events_of(id, HIGHEST_SORT_KEY.to_owned());
    let table = listing.table;
    let mut entries = app.store.entries(listing, 50).await?;
    let (mut batch, mut count) = (Vec::new(), 0);
    while batch.len() < MAX_FOLDED_AGAIN {
        let Some(entry) = entries.next().await? else { break };
        batch.push(entry);
    }
    for batch in batch.chunks(50) {
        for item in app.store.read(table, batch).await?.into_values() {
            let stored: StoredEvent = from_item(item)?;
            let event = stored.open()?;
            let is_other = event.key.id != taken_back.key.id || stored.rev > taken_back.stored.rev;
            // The index may lag behind the table, and an erasure may not have reached the event yet.
            if is_other
                && stored.subscriber().as_ref() == Some(id)
                && !known.is_erased_after(&event.key.id)
                && let Some(person) = event.person()
            {
                count += 1;
                profile.fold(&person, &event.key.id, stored.rev);
            }
        }
    }
    Ok(count)
}
