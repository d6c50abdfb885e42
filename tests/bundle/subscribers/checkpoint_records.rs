//! Checkpoint records are events, read so: which of them are listed, as what, and how long they stay.

use crate::support::{
    delivery_worker::Desk,
    harness::{Stage, items},
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

async fn get(stage: &Stage<'_>, event: &str) -> (u16, Value) {
    let answer = stage.answer(Method::GET, &format!("/v1/checkpoint-records/{}", id_of(event)), "").await;
    (answer.status.as_u16(), answer.json())
}

/// The events of the checkpoint records that are listed, page by page.
async fn listed(stage: &Stage<'_>, filter: &str, limit: usize) -> Vec<String> {
    let (mut events, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/checkpoint-records?limit={limit}{filter}{cursor}");
        let page = stage.answer(Method::GET, &path, "").await.json();
        events.extend(page["items"].as_array().expect("items").iter().map(|record| string(&record["event"])));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return events,
        }
    }
}

async fn remap(stage: &Stage<'_>, hook: &TestHook, mapping: Value) {
    let path = format!("/v1/hooks/{}", hook.id);
    let change = json!({ "settings": { "mapping": mapping } }).to_string();
    assert_eq!(stage.answer(Method::PATCH, &path, change).await.status, 200);
    assert_eq!(stage.answer(Method::POST, &format!("{path}/remap"), "").await.status, 200);
}

#[tokio::test]
async fn an_event_that_tells_one_is_listed_whatever_comes_between() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let stage = Stage::beside(&bundle);
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let tags = bundle.hook_on(&orders.connection, "botstar.watch-tag", json!({})).await;
    let (mut told, mut silent) = (Vec::new(), Vec::new());
    for n in 0..30 {
        bundle.clock.advance(Duration::from_millis(1));
        match n % 3 {
            0 => told.insert(0, stage.accept(&orders, &order(&format!("u-{}", n % 2), &n.to_string())).await),
            // Neither a name nor fields, and no checkpoint record at all.
            1 => silent.push(stage.accept(&orders, &json!({ "user": { "id": "u-0" }, "n": n })).await),
            _ => silent
                .push(stage.accept(&tags, &json!({ "user": { "id": "u-0" }, "checkpoint": "Order", "n": n })).await),
        }
    }
    for limit in [1, 3, 100] {
        assert_eq!(listed(&stage, "", limit).await, told, "{limit}");
        assert_eq!(listed(&stage, "&checkpoint=Order", limit).await, told, "{limit}");
        assert_eq!(listed(&stage, "&checkpoint=Other", limit).await, [""; 0]);
    }
    let of_one = stage.answer(Method::GET, &format!("/v1/events/{}", told[0]), "").await.json()["subject"].clone();
    let filter = format!("&subscriber={}", string(&of_one));
    let expected: Vec<String> = told.iter().step_by(2).cloned().collect();
    for limit in [1, 100] {
        assert_eq!(listed(&stage, &filter, limit).await, expected);
    }
    let (status, record) = get(&stage, &told[0]).await;
    let at: EventId = told[0].parse().unwrap();
    let whole = json!({ "id": id_of(&told[0]), "subscriber": of_one, "checkpoint": "Order",
        "fields": { "Product": "27" }, "event": told[0], "created_at": at.time() });
    assert_eq!((status, record), (200, whole));
    for event in silent {
        assert_eq!(get(&stage, &event).await.0, 404);
    }
}

#[tokio::test]
async fn a_remap_changes_what_is_shown() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let stage = Stage::beside(&bundle);
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let event = stage.accept(&orders, &json!({ "user": { "id": "u-1" }, "step": "Order", "a": { "n": 1 } })).await;
    assert_eq!((listed(&stage, "", 10).await.len(), get(&stage, &event).await.0), (0, 404));
    remap(&stage, &orders, json!({ "checkpoint.name": "/step" })).await;
    let (_, record) = get(&stage, &event).await;
    assert_eq!((&record["checkpoint"], &record["fields"]), (&json!("Order"), &json!({})));
    remap(&stage, &orders, json!({ "record.fields": "/a", "subscriber.id": "/step" })).await;
    let (_, anew) = get(&stage, &event).await;
    assert_eq!((&anew["checkpoint"], &anew["fields"]), (&Value::Null, &json!({ "n": 1 })));
    assert_ne!(anew["subscriber"], record["subscriber"]);
    assert_eq!(listed(&stage, &format!("&subscriber={}", string(&anew["subscriber"])), 10).await, [event]);
    assert_eq!(listed(&stage, &format!("&subscriber={}", string(&record["subscriber"])), 10).await, [""; 0]);
}

async fn stored(stage: &Stage<'_>, event: &str) -> StoredEvent {
    stage.app.store.event(&event.parse().unwrap()).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_erased_event_is_no_record_and_expires() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let stage = Stage::beside(&bundle);
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let mut events = Vec::new();
    for who in ["u-ava", "u-ben", "u-ava"] {
        bundle.clock.advance(Duration::from_secs(600));
        events.push(stage.accept(&orders, &order(who, "Latte")).await);
    }
    let records = stage.so_far().await;
    stage.handle(&records).await;
    let ava = string(&get(&stage, &events[0]).await.1["subscriber"]);
    bundle.clock.advance(Duration::from_secs(600));
    let days_after = |days: u64| Some(stage.app.now().plus_seconds(days * 86_400).seconds());
    let path = format!("/v1/subscribers/{ava}");
    assert_eq!(stage.answer(Method::DELETE, &path, "").await.status, 204);
    assert_eq!(listed(&stage, "", 10).await, [events[1].clone()]);
    assert_eq!(listed(&stage, &format!("&subscriber={ava}"), 10).await, [""; 0]);
    for event in [&events[0], &events[2]] {
        assert_eq!(get(&stage, event).await.0, 404);
        assert_eq!(stored(&stage, event).await.expires, days_after(90));
    }
    // Whatever comes of it later, dispatched again or remapped.
    stage.handle(&stage.so_far().await).await;
    remap(&stage, &orders, json!({ "checkpoint.name": "/user/id" })).await;
    assert_eq!(listed(&stage, "", 10).await, [events[1].clone()]);
    assert_eq!(get(&stage, &events[1]).await.1["checkpoint"], "u-ben");
}

#[tokio::test]
async fn a_record_stays_and_its_deliveries_do_not() {
    let bundle = Bundle::start_with(&[("EVENT_TTL_DAYS", "1"), ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8")]).await;
    bundle.clock.hold();
    let desk = Desk::of(&bundle).await;
    let stage = &desk.stage;
    desk.route(json!({})).await;
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let first = stage.accept(&orders, &order("u-1", "Latte")).await;
    bundle.clock.advance(Duration::from_secs(600));
    let second = stage.accept(&orders, &order("u-1", "Latte")).await;
    remap(stage, &orders, json!({ "subscriber.name": "/user/id" })).await;
    desk.dispatch().await;
    for (delivery, _) in desk.sent() {
        desk.deliver(&delivery).await;
    }
    for event in [&first, &second] {
        let event = stored(stage, event).await;
        assert_eq!((event.expires, event.rev), (None, 1), "moved or remapped, it stays");
        let kept_until = |at: Timestamp| at.plus_seconds(30 * 86_400).seconds();
        let [delivery] = desk.deliveries_of(&event.key().unwrap().id).await.try_into().unwrap();
        assert_eq!(delivery.expires, kept_until(delivery.created_at));
    }
    let other = stored(stage, desk.event().await.as_str()).await;
    assert_eq!(other.expires, Some(stage.app.now().plus_seconds(86_400).seconds()));
    let kept = items(&stage.app, &stage.app.config.tables.events).await;
    assert_eq!(kept.iter().filter(|item| item.contains("expires: ")).count(), 1, "what has none is not deleted");
    assert_eq!(listed(stage, "", 10).await, [second, first]);
}

#[test]
fn what_is_a_record_is_told_by_its_type() {
    for watch in registry::triggers() {
        let tells = watch.trigger.fields().any(|field| ["checkpoint.name", "record.fields"].contains(&field.path));
        let at = Timestamp::from_millis(0);
        let key = EventKey {
            id: EventId::new(at, ContentKey::unique([0; 20])),
            event_type: watch.trigger.event_type.to_owned(),
            origin: Origin::Hook(HookId::new(at, [0; 10])),
        };
        assert_eq!(key.is_checkpoint_record(), tells, "{}", watch.trigger.event_type);
    }
}
