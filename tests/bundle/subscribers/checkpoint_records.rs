//! Checkpoint records are events, read so: which of them are listed, as what, and how long they stay.

use crate::support::{
    delivery_worker::DeliveryWorker,
    harness::{Harness, items},
};
use models::{
    EventId, HookId, StoredEvent, Timestamp,
    event::{EventKey, Origin},
    ids::ContentKey,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Bundle, TestHook, string};

fn order(who: &str, product: &str) -> Value {
    json!({ "user": { "id": who }, "checkpoint": "Order", "fields": { "Product": product } })
}

fn id_of(event: &str) -> String {
    event.replace("evt_", "cpr_")
}

async fn get(harness: &Harness<'_>, event: &str) -> (u16, Value) {
    let answer = harness.answer(Method::GET, &format!("/v1/checkpoint-records/{}", id_of(event)), "").await;
    (answer.status.as_u16(), answer.json())
}

/// The events of the checkpoint records that are listed, page by page.
async fn listed(harness: &Harness<'_>, filter: &str, limit: usize) -> Vec<String> {
    let (mut events, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/checkpoint-records?limit={limit}{filter}{cursor}");
        let page = harness.answer(Method::GET, &path, "").await.json();
        events.extend(page["items"].as_array().expect("items").iter().map(|record| string(&record["event"])));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return events,
        }
    }
}

async fn remap(harness: &Harness<'_>, hook: &TestHook, mapping: Value) {
    let path = format!("/v1/hooks/{}", hook.id);
    let change = json!({ "settings": { "mapping": mapping } }).to_string();
    assert_eq!(harness.answer(Method::PATCH, &path, change).await.status, 200);
    assert_eq!(harness.answer(Method::POST, &format!("{path}/remap"), "").await.status, 200);
}

#[tokio::test]
async fn an_event_with_a_checkpoint_record_is_listed_among_others() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let harness = Harness::beside(&bundle);
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let tags = bundle.hook_on(&orders.connection, "botstar.watch-tag", json!({})).await;
    let (mut reported, mut silent) = (Vec::new(), Vec::new());
    for n in 0..30 {
        bundle.clock.advance(Duration::from_millis(1));
        match n % 3 {
            0 => reported.insert(0, harness.accept(&orders, &order(&format!("u-{}", n % 2), &n.to_string())).await),
            // Neither a name nor fields, and no checkpoint record at all.
            1 => silent.push(harness.accept(&orders, &json!({ "user": { "id": "u-0" }, "n": n })).await),
            _ => silent
                .push(harness.accept(&tags, &json!({ "user": { "id": "u-0" }, "checkpoint": "Order", "n": n })).await),
        }
    }
    for limit in [1, 3, 100] {
        assert_eq!(listed(&harness, "", limit).await, reported, "{limit}");
        assert_eq!(listed(&harness, "&checkpoint=Order", limit).await, reported, "{limit}");
        assert_eq!(listed(&harness, "&checkpoint=Other", limit).await, [""; 0]);
    }
    let of_one =
        harness.answer(Method::GET, &format!("/v1/events/{}", reported[0]), "").await.json()["subject"].clone();
    let filter = format!("&subscriber={}", string(&of_one));
    let expected: Vec<String> = reported.iter().step_by(2).cloned().collect();
    for limit in [1, 100] {
        assert_eq!(listed(&harness, &filter, limit).await, expected);
    }
    let (status, record) = get(&harness, &reported[0]).await;
    let at: EventId = reported[0].parse().unwrap();
    let whole = json!({ "id": id_of(&reported[0]), "subscriber": of_one, "checkpoint": "Order",
        "fields": { "Product": "27" }, "event": reported[0], "created_at": at.time() });
    assert_eq!((status, record), (200, whole));
    for event in silent {
        assert_eq!(get(&harness, &event).await.0, 404);
    }
}

#[tokio::test]
async fn a_remap_changes_what_is_shown() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let harness = Harness::beside(&bundle);
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let event = harness.accept(&orders, &json!({ "user": { "id": "u-1" }, "step": "Order", "a": { "n": 1 } })).await;
    assert_eq!((listed(&harness, "", 10).await.len(), get(&harness, &event).await.0), (0, 404));
    remap(&harness, &orders, json!({ "checkpoint.name": "/step" })).await;
    let (_, record) = get(&harness, &event).await;
    assert_eq!((&record["checkpoint"], &record["fields"]), (&json!("Order"), &json!({})));
    remap(&harness, &orders, json!({ "record.fields": "/a", "subscriber.id": "/step" })).await;
    let (_, anew) = get(&harness, &event).await;
    assert_eq!((&anew["checkpoint"], &anew["fields"]), (&Value::Null, &json!({ "n": 1 })));
    assert_ne!(anew["subscriber"], record["subscriber"]);
    assert_eq!(listed(&harness, &format!("&subscriber={}", string(&anew["subscriber"])), 10).await, [event]);
    assert_eq!(listed(&harness, &format!("&subscriber={}", string(&record["subscriber"])), 10).await, [""; 0]);
}

async fn stored(harness: &Harness<'_>, event: &str) -> StoredEvent {
    harness.app.store.event(&event.parse().unwrap()).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_erased_event_is_no_record_and_expires() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let harness = Harness::beside(&bundle);
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let mut events = Vec::new();
    for who in ["u-ava", "u-ben", "u-ava"] {
        bundle.clock.advance(Duration::from_secs(600));
        events.push(harness.accept(&orders, &order(who, "Latte")).await);
    }
    let records = harness.so_far().await;
    harness.handle(&records).await;
    let ava = string(&get(&harness, &events[0]).await.1["subscriber"]);
    bundle.clock.advance(Duration::from_secs(600));
    let days_after = |days: u64| Some(harness.app.now().plus_seconds(days * 86_400).seconds());
    let path = format!("/v1/subscribers/{ava}");
    assert_eq!(harness.answer(Method::DELETE, &path, "").await.status, 204);
    assert_eq!(listed(&harness, "", 10).await, [events[1].clone()]);
    assert_eq!(listed(&harness, &format!("&subscriber={ava}"), 10).await, [""; 0]);
    for event in [&events[0], &events[2]] {
        assert_eq!(get(&harness, event).await.0, 404);
        assert_eq!(stored(&harness, event).await.expires, days_after(90));
    }
    // A later dispatch or remap does not bring the erased records back.
    harness.handle(&harness.so_far().await).await;
    remap(&harness, &orders, json!({ "checkpoint.name": "/user/id" })).await;
    assert_eq!(listed(&harness, "", 10).await, [events[1].clone()]);
    assert_eq!(get(&harness, &events[1]).await.1["checkpoint"], "u-ben");
}

#[tokio::test]
async fn a_record_stays_and_its_deliveries_do_not() {
    let bundle = Bundle::start_with(&[("EVENT_TTL_DAYS", "1"), ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8")]).await;
    bundle.clock.hold();
    let worker = DeliveryWorker::of(&bundle).await;
    let harness = &worker.harness;
    worker.route(json!({})).await;
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let first = harness.accept(&orders, &order("u-1", "Latte")).await;
    bundle.clock.advance(Duration::from_secs(600));
    let second = harness.accept(&orders, &order("u-1", "Latte")).await;
    remap(harness, &orders, json!({ "subscriber.name": "/user/id" })).await;
    worker.dispatch().await;
    for (delivery, _) in worker.sent() {
        worker.deliver(&delivery).await;
    }
    for event in [&first, &second] {
        let event = stored(harness, event).await;
        assert_eq!((event.expires, event.rev), (None, 1), "moved or remapped, it stays");
        let kept_until = |at: Timestamp| at.plus_seconds(30 * 86_400).seconds();
        let [delivery] = worker.deliveries_of(&event.key().unwrap().id).await.try_into().unwrap();
        assert_eq!(delivery.expires, kept_until(delivery.created_at));
    }
    let other = stored(harness, worker.event().await.as_str()).await;
    assert_eq!(other.expires, Some(harness.app.now().plus_seconds(86_400).seconds()));
    let kept = items(&harness.app, &harness.app.config.tables.events).await;
    assert_eq!(kept.iter().filter(|item| item.contains("expires: ")).count(), 1, "what has none is not deleted");
    assert_eq!(listed(harness, "", 10).await, [second, first]);
}

#[test]
fn an_event_is_a_checkpoint_record_by_its_type() {
    for watch in registry::triggers() {
        let has_record = watch.trigger.fields().any(|field| ["checkpoint.name", "record.fields"].contains(&field.path));
        let at = Timestamp::from_millis(0);
        let key = EventKey {
            id: EventId::new(at, ContentKey::unique([0; 20])),
            event_type: watch.trigger.event_type.to_owned(),
            origin: Origin::Hook(HookId::new(at, [0; 10])),
        };
        assert_eq!(key.is_checkpoint_record(), has_record, "{}", watch.trigger.event_type);
    }
}
