//! Erasing a person, everywhere and for good.

use crate::support::harness::{self, Fault, Harness};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use models::{
    DeliveryState, RouteId, StoredDelivery, Timestamp,
    delivery::{Attempt, DeliveryOrigin, DeliveryTimes},
};
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

/// Traces of Avabelle, which must not be found anywhere after the erasure.
const TRACES: [&str; 7] =
    ["u-ava", "Avabelle", "Chen", "ava@example.com", "+41 79 000", "ava's secret", "ava%40example.com"];

struct Hooks {
    orders: TestHook,
    tags: TestHook,
    takeovers: TestHook,
    disabled: TestHook,
}

async fn hooks(bundle: &Bundle) -> Hooks {
    let connection = bundle.connection("botstar").await;
    let hook = async |trigger: &str| bundle.hook_on(&connection, &format!("botstar.{trigger}"), json!({})).await;
    let hooks = Hooks {
        orders: hook("watch-checkpoint-record").await,
        tags: hook("watch-tag").await,
        takeovers: hook("watch-human-takeover").await,
        disabled: hook("watch-subscriber").await,
    };
    bundle.patch(&format!("/v1/hooks/{}", hooks.disabled.id), &json!({ "enabled": false }), 200).await;
    hooks
}

fn ava() -> Value {
    json!({ "id": "u-ava", "name": "Avabelle Chen", "email": "ava@example.com", "phone": "+41 79 000", "pet": "ava's secret" })
}

fn order(user: &Value) -> Value {
    json!({ "user": user, "checkpoint": "Order", "fields": { "for": user["name"] } })
}

/// Posts events of Avabelle and of Ben, one of them in two generations, and calls that are rejected. Returns the number
/// of records in the stream.
async fn play(bundle: &Bundle, harness: &Harness<'_>, hooks: &Hooks) -> usize {
    bundle.clock.hold();
    let ben = json!({ "id": "u-ben", "name": "Ben", "email": "ben@example.com" });
    harness.accept(&hooks.orders, &order(&ava())).await;
    harness.accept(&hooks.orders, &order(&ben)).await;
    bundle.clock.advance(Duration::from_secs(600));
    harness.accept(&hooks.orders, &order(&ava())).await;
    for user in [&ava(), &ben] {
        harness.accept(&hooks.tags, &json!({ "user": user, "tag": format!("of {}", string(&user["name"])) })).await;
        harness.accept(&hooks.takeovers, &json!({ "user": user, "reason": user["name"] })).await;
        assert_eq!(
            harness.send(&hooks.disabled, json!({ "user": user }).to_string()).await.json()["status"],
            "ignored"
        );
    }
    for broken in [
        r#"{"user": {"name": "Avabelle Chen", "#,
        r#"{"user": {"email": "ava@example.com"}"#,
        "{'user': 'u-ava'}",
        r#"{"user": {"name": "Ben", "#,
    ] {
        assert_eq!(harness.send(&hooks.orders, broken).await.status, 400);
    }
    for escaped in
        [r#"{"user":{"name":"\u0041vabelle Chen"}}"#, "email=ava%40example.com", "who=%2B41+79+000&name=Avabelle+Chen"]
    {
        assert_eq!(harness.send(&hooks.disabled, escaped).await.json()["status"], "ignored");
    }
    bundle.clock.advance(Duration::from_secs(1));
    // Seven events, of which one moved another, and nine rejected calls.
    17
}

async fn id_of(harness: &Harness<'_>, platform_id: &str) -> String {
    let subscribers = harness.all("/v1/subscribers").await;
    let found = subscribers.iter().find(|one| one["platform_id"] == platform_id);
    string(&found.unwrap_or_else(|| panic!("{platform_id} is not in {subscribers:?}"))["id"])
}

async fn erase(harness: &Harness<'_>, id: &str) -> u16 {
    harness.answer(Method::DELETE, &format!("/v1/subscribers/{id}"), "").await.status.as_u16()
}

/// Nothing of Avabelle is in any item of any table, nor in any list.
async fn assert_erased(harness: &Harness<'_>, hooks: &Hooks) {
    let tables = &harness.app.config.tables;
    let mut texts = Vec::new();
    for table in [&tables.control, &tables.events, &tables.records] {
        texts.extend(harness::items(&harness.app, table).await);
    }
    assert!(texts.len() > 20, "the tables can be read: {}", texts.len());
    texts.push(harness.records().await.to_string());
    texts.extend(harness.all("/v1/events").await.iter().map(Value::to_string));
    for hook in [&hooks.orders, &hooks.disabled] {
        texts.extend(harness.all(&format!("/v1/hooks/{}/rejected", hook.id)).await.iter().map(Value::to_string));
    }
    for trace in TRACES {
        let left = texts.iter().find(|text| text.contains(trace));
        assert_eq!(left, None, "{trace} is left");
    }
}

/// Data of everybody except Avabelle.
async fn of_others(harness: &Harness<'_>, ava: &str) -> Value {
    let mut reported = harness.records().await;
    for list in ["subscribers", "checkpoint_records", "takeovers"] {
        let items = reported[list].as_array_mut().expect("a list");
        items.retain(|one| one["id"] != ava && one["subscriber"] != ava);
        assert!(!items.is_empty(), "{list}");
    }
    reported
}

#[tokio::test]
async fn nothing_of_the_person_is_left_and_others_are_untouched() {
    let bundle = Bundle::start().await;
    let (harness, hooks) = (Harness::beside(&bundle), hooks(&bundle).await);
    let count = play(&bundle, &harness, &hooks).await;
    harness.handle(&harness.stream(count).await).await;
    let id = id_of(&harness, "u-ava").await;
    let others = of_others(&harness, &id).await;
    let before = harness.all("/v1/events").await;
    assert_eq!(erase(&harness, &id).await, 204);

    assert_eq!(harness.answer(Method::GET, &format!("/v1/subscribers/{id}"), "").await.status, 404);
    assert_erased(&harness, &hooks).await;
    assert_eq!(harness.records().await, others);
    let after = harness.all("/v1/events").await;
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        if before["subject"] == id.as_str() {
            let data = &after["data"];
            assert_eq!((&data["raw"], &data["subscriber"]), (&Value::Null, &Value::Null));
            for field in ["id", "source", "type", "subject", "time"] {
                assert_eq!(before[field], after[field]);
            }
            let names = |event: &Value| event["data"].as_object().expect("data").keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(before), names(after), "an absent field is null, never left out");
        } else {
            assert_eq!(before, after);
        }
    }
    let rejected = harness.all(&format!("/v1/hooks/{}/rejected", hooks.orders.id)).await;
    let bodies: Vec<&Value> = rejected.iter().map(|call| &call["body"]).collect();
    assert_eq!(rejected.len(), 4, "the calls stay, their bodies go");
    assert_eq!(bodies.iter().filter(|body| !body.is_null()).count(), 1, "{bodies:?}");
    assert_eq!(erase(&harness, &id).await, 404);
}

#[tokio::test]
async fn a_late_record_a_remap_and_a_repeat_do_not_bring_the_person_back() {
    let bundle = Bundle::start().await;
    let (harness, hooks) = (Harness::beside(&bundle), hooks(&bundle).await);
    let count = play(&bundle, &harness, &hooks).await;
    let records = harness.stream(count).await;
    harness.handle(&records).await;
    let id = id_of(&harness, "u-ava").await;
    let others = of_others(&harness, &id).await;
    assert_eq!(erase(&harness, &id).await, 204);
    let scrubbed = harness.all("/v1/events").await;
    for _ in 0..2 {
        for record in &records {
            harness.handle(std::slice::from_ref(record)).await;
        }
        harness.handle(&records.iter().rev().cloned().collect::<Vec<_>>()).await;
        let mapping = json!({ "settings": { "mapping": { "subscriber.attributes.all": "" } } }).to_string();
        for hook in [&hooks.orders, &hooks.tags, &hooks.takeovers] {
            let path = format!("/v1/hooks/{}", hook.id);
            assert_eq!(harness.answer(Method::PATCH, &path, mapping.clone()).await.status, 200);
            // Ben's event is read anew, none of Avabelle's.
            let remapped = harness.answer(Method::POST, &format!("{path}/remap"), "").await.json();
            assert!(remapped["changed"].as_u64().is_some_and(|changed| changed <= 1), "{remapped}");
            harness.answer(Method::PATCH, &path, r#"{"settings":{}}"#).await;
            harness.answer(Method::POST, &format!("{path}/remap"), "").await;
        }
        assert_eq!(erase(&harness, &id).await, 404);
        assert_erased(&harness, &hooks).await;
        assert_eq!(of_others(&harness, &id).await, others);
        assert_eq!(harness.all("/v1/events").await, scrubbed);
    }
    // The erasure and the remaps also wrote to the stream.
    harness.handle(&harness.so_far().await).await;
    assert_erased(&harness, &hooks).await;
    assert_eq!(harness.answer(Method::GET, &format!("/v1/subscribers/{id}"), "").await.status, 404);
}

#[tokio::test]
async fn an_event_on_its_way_is_erased_when_it_arrives() {
    let bundle = Bundle::start().await;
    let (harness, hooks) = (Harness::beside(&bundle), hooks(&bundle).await);
    let count = play(&bundle, &harness, &hooks).await;
    let records = harness.stream(count).await;
    harness.handle(&records[..1]).await;
    let id = id_of(&harness, "u-ava").await;
    assert_eq!(erase(&harness, &id).await, 204);
    assert!(harness.all("/v1/subscribers").await.is_empty());
    harness.handle(&records[1..]).await;
    assert_erased(&harness, &hooks).await;
    assert_eq!(harness.records().await, of_others(&harness, &id).await);
}

#[tokio::test]
async fn a_later_event_makes_a_new_subscriber_without_what_was_erased() {
    let bundle = Bundle::start().await;
    let (harness, hooks) = (Harness::beside(&bundle), hooks(&bundle).await);
    let count = play(&bundle, &harness, &hooks).await;
    let records = harness.stream(count).await;
    harness.handle(&records).await;
    let id = id_of(&harness, "u-ava").await;
    assert_eq!(erase(&harness, &id).await, 204);
    bundle.clock.advance(Duration::from_secs(1));
    let event = harness.accept(&hooks.tags, &json!({ "user_id": "u-ava", "tag": "back" })).await;
    harness.handle(&harness.so_far().await[count..]).await;
    harness.handle(&records).await;
    let back = harness.answer(Method::GET, &format!("/v1/subscribers/{id}"), "").await.json();
    let time = harness.answer(Method::GET, &format!("/v1/events/{event}"), "").await.json()["time"].clone();
    assert_eq!((&back["tags"], &back["name"], &back["email"]), (&json!(["back"]), &Value::Null, &Value::Null));
    assert_eq!((&back["first_seen"], &back["last_seen"]), (&time, &time));
    assert_eq!(harness.all("/v1/checkpoint-records").await.len(), 1, "Ben's");
    // And that life can be erased as well.
    assert_eq!(erase(&harness, &id).await, 204);
    assert_erased(&harness, &hooks).await;
}

#[tokio::test]
async fn a_misread_event_of_an_erased_person_leaves_nobody() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let harness = Harness::beside(&bundle);
    let tags = bundle.hook("botstar.watch-tag").await;
    let misread = json!({ "mapping": { "subscriber.id": "/tag" } });
    let orders = bundle.hook_on(&tags.connection, "botstar.watch-tag", misread).await;
    harness.accept(&tags, &json!({ "user_id": "u-ava", "tag": "vip" })).await;
    harness.handle(&harness.stream(1).await).await;
    let id = id_of(&harness, "u-ava").await;
    assert_eq!(erase(&harness, &id).await, 204);
    bundle.clock.advance(Duration::from_secs(1));
    harness.accept(&orders, &json!({ "user_id": "u-ben", "tag": "u-ava" })).await;
    harness.handle(&harness.stream(3).await[2..]).await;
    assert_eq!(id_of(&harness, "u-ava").await, id);
    let path = format!("/v1/hooks/{}", orders.id);
    harness.answer(Method::PATCH, &path, r#"{"settings":{}}"#).await;
    harness.answer(Method::POST, &format!("{path}/remap"), "").await;
    harness.handle(&harness.stream(4).await[3..]).await;
    assert_eq!(harness.answer(Method::GET, &format!("/v1/subscribers/{id}"), "").await.status, 404);
    let left: Vec<Value> = harness.all("/v1/subscribers").await.iter().map(|one| one["platform_id"].clone()).collect();
    assert_eq!(left, ["u-ben"]);
    // The tombstone still stands.
    harness.handle(&harness.stream(4).await[..1]).await;
    assert_eq!(harness.all("/v1/subscribers").await.len(), 1);
}

/// A delivery of an event, whose target answered this.
fn delivered(event: &str, answer: &str) -> StoredDelivery {
    let at = Timestamp::from_millis(1_767_225_600_000);
    let when = DeliveryTimes { next_attempt_at: at, due_at: at, expires: at.plus_seconds(86_400_000) };
    let (event, route) = (event.parse().unwrap(), RouteId::new(at, [1; 10]));
    let of = DeliveryOrigin { event: &event, event_expires: u64::MAX, route: &route, replay: None };
    let mut delivery = StoredDelivery::new(of, at, when);
    let answer = Some(answer.to_owned());
    delivery.record_attempt(Attempt { at, status: Some(200), duration_ms: 1, error: answer.clone(), body: answer });
    delivery.finish(DeliveryState::Succeeded, None);
    delivery
}

#[tokio::test]
async fn a_repeat_erases_the_rest_after_any_failure_of_the_store() {
    let bundle = Bundle::start().await;
    let (harness, hooks) = (Harness::beside(&bundle), hooks(&bundle).await);
    let mut handled = 0;
    for at in 0.. {
        let name = format!("person {at}.");
        let user = json!({ "id": name, "name": name });
        for (hook, body) in [(&hooks.orders, order(&user)), (&hooks.takeovers, json!({ "user": user, "reason": name }))]
        {
            let event = harness.accept(hook, &body).await;
            let delivery = delivered(&event, &name);
            harness.app.store.create_deliveries(&mut [delivery], harness.app.now()).await.unwrap();
        }
        assert_eq!(harness.send(&hooks.orders, format!("{{{name}")).await.status, 400);
        bundle.clock.advance(Duration::from_millis(5));
        let records = harness.so_far().await.split_off(handled);
        harness.handle(&records).await;
        let id = id_of(&harness, &name).await;
        let counted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&counted);
        let flaky = harness.failing(RetryConfig::disabled(), move |operation, _| {
            if operation != "Query" && count.fetch_add(1, Ordering::SeqCst) == at {
                Fault::Unreached
            } else {
                Fault::None
            }
        });
        let first = erase(&flaky, &id).await;
        let failed = counted.load(Ordering::SeqCst) > at;
        assert_eq!(first, if failed { 503 } else { 204 }, "request {at}");
        if failed {
            harness.handle(&records).await;
            assert_eq!(erase(&harness, &id).await, 204, "request {at}");
        }
        assert_eq!(erase(&harness, &id).await, 404);
        let mut texts = harness::items(&harness.app, &harness.app.config.tables.events).await;
        for table in [&harness.app.config.tables.records, &harness.app.config.tables.deliveries] {
            texts.extend(harness::items(&harness.app, table).await);
        }
        assert_eq!(texts.iter().find(|text| text.contains(&name)), None, "request {at}");
        handled = harness.so_far().await.len();
        if !failed {
            assert!(at > 10, "{at} requests");
            break;
        }
    }
}

#[tokio::test]
async fn the_running_bundle_erases_too() {
    let bundle = Bundle::start().await;
    let hooks = hooks(&bundle).await;
    bundle.accept(&hooks.orders, &order(&ava())).await;
    let id = string(&bundle.until_count("/v1/subscribers", 1).await[0]["id"]);
    bundle.delete(&format!("/v1/subscribers/{id}"), 204).await;
    bundle.get(&format!("/v1/subscribers/{id}"), 404).await;
    bundle.delete(&format!("/v1/subscribers/{id}"), 404).await;
    bundle.until_count("/v1/checkpoint-records", 0).await;
    eventually(|| async {
        let events = bundle.all("/v1/events").await;
        events.iter().all(|event| event["data"]["raw"].is_null()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn events_that_could_not_be_read_are_searched_for_the_person() {
    let bundle = Bundle::start().await;
    let connection = bundle.connection("botstar").await;
    let known = bundle.hook_on(&connection, "botstar.watch-subscriber", json!({})).await;
    let mapping = json!({ "mapping": { "subscriber.id": "/nowhere" } });
    let blind = bundle.hook_on(&connection, "botstar.watch-tag", mapping).await;
    bundle.accept(&known, &json!({ "user": ava() })).await;
    let ours = [json!({ "who": "u-ava" }), json!({ "to": ["ava@example.com"] }), json!({ "+41 79 000": 1 })];
    let others = [json!({ "who": "u-ava-2" }), json!({ "tag": "Avabelle Chen" }), json!({ "n": 1 })];
    for body in ours.iter().chain(&others) {
        bundle.accept(&blind, body).await;
    }
    let id = string(&bundle.until_count("/v1/subscribers", 1).await[0]["id"]);
    bundle.delete(&format!("/v1/subscribers/{id}"), 204).await;
    let events = bundle.all(&format!("/v1/events?hook={}", blind.id)).await;
    let kept: Vec<&Value> = events.iter().map(|event| &event["data"]["raw"]).filter(|raw| !raw.is_null()).collect();
    assert_eq!(kept.len(), others.len());
    assert!(others.iter().all(|body| kept.contains(&body)), "{kept:?}");
}
