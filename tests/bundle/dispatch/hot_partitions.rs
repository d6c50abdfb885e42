//! How the keys of every table and index spread at 10,000 events a second, each of a person of their own: no key is
//! written more than DynamoDB's partitions bear.

use models::{
    ConnectionId, HookId, Profile, RouteId, StoredDelivery, StoredEvent, Timestamp,
    delivery::{DeliveryOrigin, DeliveryState, DeliveryTimes, Reason},
    event::Accepted,
    ids::ContentKey,
    records::{RecordKeys, StoredSubscriber},
};
use payload::{
    body::Format,
    mapping::{self, Mapping},
};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use store::{
    Item,
    tables::{BY_PERSON, DELIVERIES, EVENTS, RECORDS, TABLES, Table},
    to_item,
};

const EVENTS_A_SECOND: u64 = 10_000;
/// Write units a second.
const PARTITION_BEARS: usize = 1_000;

/// Items of one second: events, their people, and deliveries of a route whose filter takes none of them.
fn second() -> BTreeMap<&'static str, Vec<Item>> {
    let start = Timestamp::from_millis(1_767_225_600_000);
    let (hook, connection) = (HookId::new(start, [1; 10]), ConnectionId::new(start, [2; 10]));
    let route = RouteId::new(start, [3; 10]);
    let (mut events, mut people, mut deliveries) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..EVENTS_A_SECOND {
        let at = Timestamp::from_millis(start.millis() + number * 1000 / EVENTS_A_SECOND);
        let body = json!({ "user": { "id": number, "name": "Ava" }, "tag": "vip" });
        let raw = body.to_string();
        let event = StoredEvent::new(Accepted {
            at,
            key: ContentKey::digest(&hook, &[raw.as_bytes()]),
            hook: &hook,
            connection: &connection,
            platform: "botstar",
            event_type: "botstar.tag.added",
            raw: raw.as_bytes(),
            format: Format::JSON,
            body: &body,
            reading: &mapping::resolve(botstar::watch_tag::TRIGGER.fields(), &Mapping::new(), &body),
            extra_data: Map::new(),
            encoding: None,
            query: None,
            hops: 0,
            nonce: String::new(),
            expires: at,
        });
        let opened = event.open().unwrap();
        let person = opened.person().unwrap();
        let profile = Profile::new(&person, at);
        let place = Some(RecordKeys::of_subscriber(&person.id, &profile));
        let subscriber = StoredSubscriber { place, version: 1, profile: None, erased_at: None, erasing: None };
        people.push(to_item(&subscriber).unwrap());
        let of = DeliveryOrigin { event: &opened.key.id, event_expires: at.seconds(), route: &route, replay: None };
        let mut delivery = StoredDelivery::new(of, at, DeliveryTimes { next_attempt_at: at, due_at: at, expires: at });
        deliveries.push(to_item(&delivery).unwrap());
        delivery.finish(DeliveryState::Dead, Some(Reason::AttemptsUsedUp));
        let mut dead = to_item(&delivery).unwrap();
        // Only its place among the dead letters is new.
        dead.retain(|name, _| name == "dead");
        deliveries.push(dead);
        events.push(to_item(&event).unwrap());
    }
    BTreeMap::from([(EVENTS.name, events), (RECORDS.name, people), (DELIVERIES.name, deliveries)])
}

/// Occurrences of each value of an attribute.
fn counts(items: &[Item], attribute: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for value in items.iter().filter_map(|item| item.get(attribute)?.as_s().ok()) {
        *counts.entry(value.clone()).or_default() += 1;
    }
    counts
}

#[test]
fn no_key_of_any_table_or_index_takes_more_than_a_partition_bears() {
    let second = second();
    // The control table is read, and written when someone changes something.
    let written = TABLES.iter().filter(|table| table.name != "control");
    for Table { name, key, indexes, .. } in written {
        let keys = [("the table", *key)].into_iter().chain(indexes.iter().map(|index| (index.name, index.key)));
        for (place, key) in keys {
            let counts = counts(&second[name], key);
            let most = counts.values().max().copied().unwrap_or_default();
            println!("{name}, {place}: {} keys, the most written {most} times a second", counts.len());
            // A person's history in the records is of takeovers, which few events ask for.
            let in_all = if (*name, place) == (RECORDS.name, BY_PERSON.name) { 0 } else { EVENTS_A_SECOND };
            assert_eq!(counts.values().sum::<usize>() as u64, in_all, "{name}, {place}: every event has a key");
            assert!(most <= PARTITION_BEARS, "{name}, {place}: a key is written {most} times a second");
        }
    }
}
