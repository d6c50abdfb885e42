//! Kept events read anew by a mended mapping.

use crate::support::harness::{Fault, Harness, number};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tests::{Bundle, TestHook, eventually, string};

/// A mapping that takes what the order is of for the person, and where the person is in truth.
const WRONG: &str = "/order/id";
const RIGHT: &str = "/who";

fn mapping(id: &str) -> Value {
    json!({ "mapping": { "subscriber.id": id, "subscriber.name": "/name", "tag": "/label" } })
}

fn order(who: &str, name: &str) -> Value {
    json!({ "order": { "id": "o-1" }, "who": who, "name": name, "checkpoint": "Order", "fields": { "n": 1 } })
}

fn platform_ids(subscribers: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = subscribers.iter().map(|one| string(&one["platform_id"])).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn the_wrong_person_goes_and_the_right_one_comes() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook_with("botstar.watch-checkpoint-record", mapping(WRONG)).await;
    let event = bundle.accept(&hook, &order("u-1", "Ava")).await;
    let wrong = bundle.until_count("/v1/subscribers", 1).await.remove(0);
    assert_eq!(wrong["platform_id"], "o-1");
    let hook_path = format!("/v1/hooks/{}", hook.id);
    bundle.patch(&hook_path, &json!({ "settings": mapping(RIGHT) }), 200).await;
    let remap = format!("{hook_path}/remap");
    let answer = bundle.post(&remap, &json!({}), 200).await;
    assert_eq!(answer, json!({ "read": 1, "changed": 1, "next": null }));
    let right = eventually(|| async {
        let listed = bundle.all("/v1/subscribers").await;
        (platform_ids(&listed) == ["u-1"]).then(|| listed[0].clone())
    })
    .await;
    bundle.get(&format!("/v1/subscribers/{}", string(&wrong["id"])), 404).await;
    let records = bundle.until_count(&format!("/v1/checkpoint-records?subscriber={}", string(&right["id"])), 1).await;
    assert_eq!((&records[0]["event"], &records[0]["fields"]), (&json!(event), &json!({ "n": 1 })));
    assert_eq!(bundle.all("/v1/checkpoint-records").await.len(), 1);
    let envelope = bundle.get(&format!("/v1/events/{event}"), 200).await;
    assert_eq!((&envelope["subject"], &envelope["data"]["subscriber"]["name"]), (&right["id"], &json!("Ava")));
    assert_eq!(bundle.post(&remap, &json!({}), 200).await["changed"], 0);
}

/// A harness with a hook whose mapping is wrong, and two orders, one of them in two generations.
async fn misread<'b>(bundle: &'b Bundle) -> (Harness<'b>, TestHook, Vec<String>) {
    bundle.clock.hold();
    let harness = Harness::beside(bundle);
    let hook = bundle.hook_with("botstar.watch-checkpoint-record", mapping(WRONG)).await;
    let mut events = Vec::new();
    for body in [order("u-1", "Ava"), order("u-2", "Ben"), order("u-1", "Ava")] {
        events.push(harness.accept(&hook, &body).await);
        bundle.clock.advance(Duration::from_secs(300));
    }
    (harness, hook, events)
}

async fn mend(harness: &Harness<'_>, hook: &TestHook, id: &str) -> Value {
    change(harness, hook, &mapping(id)).await
}

/// Saves settings of a hook, and remaps its events.
async fn change(harness: &Harness<'_>, hook: &TestHook, settings: &Value) -> Value {
    let path = format!("/v1/hooks/{}", hook.id);
    let change = json!({ "settings": settings }).to_string();
    assert_eq!(harness.answer(Method::PATCH, &path, change).await.status, 200);
    harness.answer(Method::POST, &format!("{path}/remap"), "").await.json()
}

#[tokio::test]
async fn every_generation_is_read_anew() {
    let bundle = Bundle::start().await;
    let (harness, hook, events) = misread(&bundle).await;
    harness.handle(&harness.stream(4).await).await;
    assert_eq!(platform_ids(&harness.all("/v1/subscribers").await), ["o-1"]);
    assert_eq!(mend(&harness, &hook, RIGHT).await, json!({ "read": 3, "changed": 3, "next": null }));
    let records = harness.stream(7).await;
    harness.handle(&records[4..]).await;
    let reported = harness.records().await;
    assert_eq!(platform_ids(&harness.all("/v1/subscribers").await), ["u-1", "u-2"]);
    let of: Vec<Value> = harness.all("/v1/checkpoint-records").await.iter().map(|one| one["event"].clone()).collect();
    assert_eq!(of, [json!(events[2]), json!(events[1]), json!(events[0])]);
    for replayed in [&records[4..], &records[..], &records[2..]] {
        harness.handle(replayed).await;
        assert_eq!(harness.records().await, reported);
    }
    // In a batch that has each event before and after, and once more from nothing.
    let harness = harness.with_records("anew");
    harness.handle(&records).await;
    assert_eq!(harness.records().await, reported);
}

#[tokio::test]
async fn mended_twice_is_as_mended_once() {
    let bundle = Bundle::start().await;
    let (harness, hook, _) = misread(&bundle).await;
    mend(&harness, &hook, "/checkpoint").await;
    mend(&harness, &hook, "/nowhere").await;
    mend(&harness, &hook, RIGHT).await;
    let records = harness.stream(13).await;
    harness.handle(&records).await;
    let reported = harness.records().await;
    assert_eq!(platform_ids(&harness.all("/v1/subscribers").await), ["u-1", "u-2"]);
    let harness = harness.with_records("one-by-one");
    for record in &records {
        harness.handle(std::slice::from_ref(record)).await;
    }
    assert_eq!(harness.records().await, reported);
}

#[tokio::test]
async fn values_of_other_events_stay() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let harness = Harness::beside(&bundle);
    let orders = bundle.hook_with("botstar.watch-checkpoint-record", mapping(WRONG)).await;
    let tags = bundle.hook_on(&orders.connection, "botstar.watch-tag", json!({})).await;
    harness.accept(&tags, &json!({ "user": { "id": "o-1", "name": "Ada", "plan": "gold" }, "tag": "vip" })).await;
    harness.handle(&harness.stream(1).await).await;
    let alone = harness.all("/v1/subscribers").await;
    bundle.clock.advance(Duration::from_secs(60));
    harness.accept(&orders, &order("u-1", "Ava")).await;
    harness.handle(&harness.stream(2).await[1..]).await;
    assert_eq!(harness.all("/v1/subscribers").await[0]["name"], "Ava");
    mend(&harness, &orders, RIGHT).await;
    harness.handle(&harness.stream(3).await[2..]).await;
    let mut after = harness.all("/v1/subscribers").await;
    assert_eq!(platform_ids(&after), ["o-1", "u-1"]);
    after.retain(|one| one["platform_id"] == "o-1");
    assert_eq!(after, alone);
}

#[tokio::test]
async fn without_a_person_the_record_stays() {
    let bundle = Bundle::start().await;
    let (harness, hook, _) = misread(&bundle).await;
    mend(&harness, &hook, "/nowhere").await;
    harness.handle(&harness.stream(7).await).await;
    assert_eq!(harness.all("/v1/subscribers").await.len(), 0);
    let records = harness.all("/v1/checkpoint-records").await;
    assert_eq!((records.len(), &records[0]["subscriber"]), (3, &Value::Null));
    let events = harness.all("/v1/events").await;
    assert!(events.iter().all(|event| event["data"]["unmapped"] == json!(["subscriber.id"])), "{events:?}");
}

#[tokio::test]
async fn a_closed_takeover_stays_closed() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    harness.accept(&hook, &json!({ "user": { "id": "u-1" }, "why": "refund" })).await;
    harness.handle(&harness.stream(1).await).await;
    let open = harness.all("/v1/takeovers").await.remove(0);
    assert_eq!((&open["state"], &open["reason"]), (&json!("open"), &Value::Null));
    let path = format!("/v1/takeovers/{}", string(&open["id"]));
    let closed = harness.answer(Method::PATCH, &path, r#"{"state":"closed"}"#).await.json();
    let hook_path = format!("/v1/hooks/{}", hook.id);
    let change = json!({ "settings": { "mapping": { "takeover.reason": "/why" } } });
    harness.answer(Method::PATCH, &hook_path, change.to_string()).await;
    harness.answer(Method::POST, &format!("{hook_path}/remap"), "").await;
    harness.handle(&harness.stream(2).await).await;
    let mut expected = closed;
    expected["reason"] = json!("refund");
    assert_eq!(harness.answer(Method::GET, &path, "").await.json(), expected);
}

#[tokio::test]
async fn a_remap_is_completed_after_any_failure_of_the_store() {
    let bundle = Bundle::start().await;
    let (harness, hook, _) = misread(&bundle).await;
    mend(&harness, &hook, RIGHT).await;
    let records = harness.stream(7).await;
    harness.handle(&records).await;
    let plain = harness.records().await;
    for fault in [Fault::Unreached, Fault::AnswerLost] {
        for at in 0.. {
            let harness = harness.with_records(&format!("records-{fault:?}-{at}"));
            harness.handle(&records[..4]).await;
            let count = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&count);
            let flaky = harness.failing(RetryConfig::disabled(), move |_, _| {
                if counted.fetch_add(1, Ordering::SeqCst) == at { fault } else { Fault::None }
            });
            let (failed, letters) = flaky.dispatch(&records[4..]).await;
            assert!(letters.is_empty(), "{letters:?}");
            let all = count.load(Ordering::SeqCst) <= at;
            assert_eq!(failed.is_empty(), all, "request {at}");
            // As the event source does: from the first that failed.
            if let Some(first) = records.iter().position(|record| failed.contains(&number(record))) {
                harness.handle(&records[first..]).await;
            }
            assert_eq!(harness.records().await, plain, "request {at}, {fault:?}");
            if all {
                assert!(at > 10, "{at} requests");
                break;
            }
        }
    }
}

/// Fails all requests of a dispatch from this one on, as if its process had died.
fn dying<'b>(harness: &Harness<'b>, at: usize) -> (Harness<'b>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let dying = harness.failing(RetryConfig::disabled(), move |_, _| {
        if counted.fetch_add(1, Ordering::SeqCst) >= at { Fault::Unreached } else { Fault::None }
    });
    (dying, count)
}

/// An earlier reading was removed in one write, and the new one added in the next. In between the person had no name, and
/// the second event's time as `first_seen`, by which the list is ordered.
#[tokio::test]
async fn a_person_keeps_values_and_place_in_the_list_during_a_remap() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook_with("botstar.watch-checkpoint-record", mapping(RIGHT)).await;
    harness.accept(&hook, &order("u-1", "Ava")).await;
    bundle.clock.advance(Duration::from_secs(60));
    harness.accept(&hook, &json!({ "who": "u-1", "checkpoint": "Order" })).await;
    let corrected = json!({ "mapping": { "subscriber.id": RIGHT, "subscriber.name": "/checkpoint" } });
    change(&harness, &hook, &corrected).await;
    let records = harness.stream(4).await;
    let first = &records[0]["dynamodb"]["Keys"]["pk"];
    let remapped = records[2..].iter().find(|record| record["dynamodb"]["Keys"]["pk"] == *first).unwrap();
    for at in 0.. {
        let harness = harness.with_records(&format!("records-{at}"));
        harness.handle(&records[..2]).await;
        let before = harness.all("/v1/subscribers").await;
        assert_eq!(before[0]["name"], "Ava");
        let (dying, count) = dying(&harness, at);
        dying.dispatch(std::slice::from_ref(remapped)).await;
        let after = harness.all("/v1/subscribers").await;
        assert_eq!(after.len(), 1);
        assert_eq!(after[0]["first_seen"], before[0]["first_seen"], "request {at}");
        assert!(after[0]["name"] == "Ava" || after[0]["name"] == "Order", "request {at}: {after:?}");
        if count.load(Ordering::SeqCst) <= at {
            assert_eq!(after[0]["name"], "Order");
            break;
        }
    }
}

/// The person's only event has no data but the id, and belongs to the person again when the record of an earlier remap
/// is delivered once more.
#[tokio::test]
async fn a_redelivered_remap_keeps_a_person_whose_event_has_come_back() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let harness = Harness::beside(&bundle);
    let only_id = |id: &str| json!({ "mapping": { "subscriber.id": id } });
    let hook = bundle.hook_with("botstar.watch-checkpoint-record", only_id(WRONG)).await;
    harness.accept(&hook, &json!({ "order": { "id": "o-1" }, "who": "u-1", "checkpoint": "Order" })).await;
    for id in [RIGHT, WRONG] {
        assert_eq!(change(&harness, &hook, &only_id(id)).await["changed"], 1);
    }
    let records = harness.stream(3).await;
    harness.handle(&records).await;
    assert_eq!(platform_ids(&harness.all("/v1/subscribers").await), ["o-1"]);
    harness.handle(&records[1..2]).await;
    assert_eq!(platform_ids(&harness.all("/v1/subscribers").await), ["o-1", "u-1"]);
    harness.handle(&records[2..]).await;
    assert_eq!(platform_ids(&harness.all("/v1/subscribers").await), ["o-1"]);
}

/// The erasure was cut off after its tombstone, so the event still has its body.
#[tokio::test]
async fn a_remap_does_not_restore_data_from_before_an_erasure() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook_with("botstar.watch-checkpoint-record", mapping(RIGHT)).await;
    harness.accept(&hook, &order("u-1", "Ava")).await;
    harness.handle(&harness.stream(1).await).await;
    let path = format!("/v1/subscribers/{}", string(&harness.all("/v1/subscribers").await[0]["id"]));
    let without_queries = |operation: &str, _: &str| if operation == "Query" { Fault::Unreached } else { Fault::None };
    let cut_off = harness.failing(RetryConfig::disabled(), without_queries);
    assert_eq!(cut_off.answer(Method::DELETE, &path, "").await.status, 503);
    assert_eq!(harness.answer(Method::GET, &path, "").await.status, 404);
    bundle.clock.advance(Duration::from_secs(60));
    harness.accept(&hook, &json!({ "who": "u-1", "checkpoint": "Order", "callback": "+1 555 0100" })).await;
    harness.handle(&harness.stream(2).await[1..]).await;
    let second = harness.stream(2).await[1]["dynamodb"]["Keys"]["pk"].clone();
    let corrected =
        json!({ "mapping": { "subscriber.id": RIGHT, "subscriber.name": "/name", "subscriber.phone": "/callback" } });
    change(&harness, &hook, &corrected).await;
    let records = harness.so_far().await;
    let remapped: Vec<Value> =
        records[2..].iter().filter(|record| record["dynamodb"]["Keys"]["pk"] == second).cloned().collect();
    assert_eq!(remapped.len(), 1);
    harness.handle(&remapped).await;
    let person = harness.answer(Method::GET, &path, "").await.json();
    assert_eq!((&person["name"], &person["phone"]), (&Value::Null, &json!("+1 555 0100")));
}
