use super::*;
use crate::ids::{ContentKey, HookId};
use std::collections::BTreeMap;

fn ids() -> (EventId, RouteId) {
    let at = Timestamp::from_millis(1_767_225_600_000);
    let key = ContentKey::digest(&HookId::new(at, [1; 10]), &[b"{}"]);
    (EventId::new(at, key), RouteId::new(at, [3; 10]))
}

fn of<'a>(event: &'a EventId, route: &'a RouteId, replay: Option<&'a ReplayId>) -> DeliveryOrigin<'a> {
    DeliveryOrigin { event, event_expires: 50, route, replay }
}

fn at(millis: u64) -> DeliveryTimes {
    let (next_attempt_at, due_at) = (Timestamp::from_millis(millis), Timestamp::from_millis(millis + 1));
    DeliveryTimes { next_attempt_at, due_at, expires: due_at.plus_seconds(60) }
}

#[test]
fn the_same_event_route_and_replay_are_the_same_delivery() {
    let (event, route) = ids();
    let now = Timestamp::from_millis(7);
    let id = |route: &RouteId, replay: Option<&ReplayId>| StoredDelivery::new(of(&event, route, replay), now, at(8)).id;
    let replay = ReplayId::new(Timestamp::from_millis(1_767_225_700_000), [5; 10]);
    let other = RouteId::new(now, [4; 10]);
    assert_eq!(id(&route, None), id(&route, None));
    let all = [id(&route, None), id(&other, None), id(&route, Some(&replay)), id(&other, Some(&replay))];
    assert!(all.iter().enumerate().all(|(n, id)| !all[..n].contains(id)), "{all:?}");
    assert!(all[0] < all[2], "a replay is listed as newer than what came before it");
}

#[test]
fn an_attribute_that_only_some_states_have_is_removable() {
    let (event, route) = ids();
    let pending = StoredDelivery::new(of(&event, &route, None), Timestamp::from_millis(7), at(8));
    let mut names = BTreeMap::<String, usize>::new();
    for finished in [None, Some((DeliveryState::Succeeded, None)), Some((DeliveryState::Dead, Some(Reason::Loop)))] {
        let mut delivery = pending.clone();
        if let Some((state, reason)) = finished {
            delivery.finish(state, reason);
        }
        for name in serde_json::to_value(&delivery).unwrap().as_object().unwrap().keys() {
            *names.entry(name.clone()).or_default() += 1;
        }
    }
    let some: Vec<&str> = names.iter().filter(|(_, states)| **states < 3).map(|(name, _)| name.as_str()).collect();
    let mut removable = REMOVABLE;
    removable.sort_unstable();
    assert_eq!(some, removable);
}

#[test]
fn the_indexes_contain_due_and_dead_deliveries() {
    let (event, route) = ids();
    let mut delivery = StoredDelivery::new(of(&event, &route, None), Timestamp::from_millis(7), at(8));
    let places = |delivery: &StoredDelivery| {
        (delivery.due.is_some(), delivery.due_at.is_some(), delivery.dead.is_some(), delivery.next_attempt_at)
    };
    let key = DeliveryKey { id: delivery.id.clone(), route };
    assert_eq!(places(&delivery), (true, true, false, Some(Timestamp::from_millis(8))));
    assert!(delivery.due_at.as_deref().unwrap().starts_with("1970-01-01T00:00:00.009Z "));
    assert_eq!((delivery.expires, delivery.is_left_to_sweep()), (50, false), "no longer than its event");
    delivery.set_pending(DeliveryTimes { due_at: Timestamp::from_millis(8), ..at(8) });
    assert!(delivery.is_left_to_sweep());
    delivery.set_pending(at(8));
    assert_eq!(DeliveryKey::parse(delivery.due_at.as_ref().unwrap()), Some(key.clone()));
    delivery.finish(DeliveryState::Dead, Some(Reason::AttemptsUsedUp));
    assert_eq!(places(&delivery), (false, false, true, None));
    assert_eq!(DeliveryKey::parse(delivery.sort.as_ref().unwrap()), Some(key));
    delivery.attempts_made = 9;
    delivery.retry(at(20));
    assert_eq!((delivery.attempts_made, delivery.manual_retries, delivery.reason), (0, 1, None));
    assert_eq!(delivery.sort, None);
    assert_eq!(places(&delivery), (true, true, false, Some(Timestamp::from_millis(20))));
    delivery.finish(DeliveryState::Succeeded, None);
    assert_eq!(places(&delivery), (false, false, false, None));
}

#[test]
fn the_latest_attempts_are_kept() {
    let (event, route) = ids();
    let mut delivery = StoredDelivery::new(of(&event, &route, None), Timestamp::from_millis(7), at(8));
    for n in 0..25 {
        let attempt = Attempt { at: Timestamp::from_millis(n), status: None, duration_ms: n, error: None, body: None };
        delivery.record_attempt(attempt);
    }
    assert_eq!((delivery.attempts_made, delivery.attempts.len(), delivery.attempts[0].duration_ms), (25, 20, 5));
}
