//! From the stream into the records: repeats, any order, faults.

use crate::support::harness::{Fault, Harness, number};
use aws_sdk_dynamodb::{config::retry::RetryConfig, types::AttributeValue};
use flow::{
    dead_letters::{DeadLetter, DeadLetters, SettingAside},
    dispatch::Dispatcher,
};
use futures::future::join_all;
use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tests::{Bundle, string};

/// Posts events of two people to four triggers, and the first body again after the window. Returns the stream's
/// records.
async fn play(bundle: &Bundle, harness: &Harness<'_>) -> Vec<Value> {
    bundle.clock.hold();
    let connection = bundle.connection("botstar").await;
    let hook = async |trigger: &str| bundle.hook_on(&connection, &format!("botstar.{trigger}"), json!({})).await;
    let order = hook("watch-checkpoint-record").await;
    let (tag, takeover, subscriber) =
        (hook("watch-tag").await, hook("watch-human-takeover").await, hook("watch-subscriber").await);
    let ava = json!({ "id": "u-ava", "name": "Ava", "plan": "free", "tags": ["first"] });
    let latte = json!({ "user": ava, "checkpoint": "Order", "fields": { "Product": "Latte" } });
    let bodies = [
        (&order, latte.clone()),
        (&tag, json!({ "user": { "id": "u-ava", "name": "Ava C." }, "tag": "second" })),
        (&tag, json!({ "user": { "id": "u-ben", "name": "Ben" }, "tag": "first" })),
        (&takeover, json!({ "user": { "id": "u-ava", "name": "Ava Chen" }, "reason": "refund" })),
        (&tag, json!({ "user": { "id": "u-ava", "email": "ava@example.com" }, "tag": "third" })),
        (&subscriber, json!({ "user": { "id": "u-ben", "plan": "gold", "size": 1 } })),
        (&takeover, json!({ "user": { "id": "u-ben", "plan": "free" } })),
        (&order, json!({ "checkpoint": "Order", "fields": { "Product": "of nobody" } })),
    ];
    for (n, (hook, body)) in bodies.iter().enumerate() {
        harness.accept(hook, body).await;
        // Some at the same instant.
        bundle.clock.advance(Duration::from_millis(n as u64 % 2));
    }
    bundle.clock.advance(Duration::from_secs(600));
    harness.accept(&order, &latte).await;
    harness.stream(bodies.len() + 2).await
}

/// Projection when each event is handled once, in order.
async fn plainly(harness: &Harness<'_>, records: &[Value]) -> Value {
    harness.handle(records).await;
    harness.records().await
}

#[tokio::test]
async fn the_later_event_wins_and_tags_add_up() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let reported = plainly(&harness, &play(&bundle, &harness).await).await;
    let of = |id: &str| {
        let found = reported["subscribers"].as_array().expect("a list").iter().find(|one| one["platform_id"] == id);
        found.unwrap_or_else(|| panic!("{id} is not in {reported}")).clone()
    };
    let (ava, ben) = (of("u-ava"), of("u-ben"));
    assert_eq!((&ava["name"], &ava["email"]), (&json!("Ava"), &json!("ava@example.com")));
    assert_eq!((&ava["tags"], &ben["tags"]), (&json!(["first", "second", "third"]), &json!(["first"])));
    assert_eq!(ben["attributes"], json!({ "plan": "free", "size": 1 }));
    assert_eq!(reported["subscribers"].as_array().map(Vec::len), Some(2));
    assert_eq!(reported["checkpoint_records"].as_array().map(Vec::len), Some(3));
    assert_eq!(reported["takeovers"].as_array().map(Vec::len), Some(2));
    assert_eq!(reported["checkpoint_records"][1]["subscriber"], Value::Null);
    assert_eq!(reported["checkpoint_records"][0]["subscriber"], ava["id"]);
}

#[test]
fn any_order_and_any_repeats_end_alike() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bundle = runtime.block_on(Bundle::start());
    let harness = Harness::beside(&bundle);
    let records = runtime.block_on(play(&bundle, &harness));
    let plain = runtime.block_on(plainly(&harness, &records));
    let shuffled = Just((0..records.len()).collect::<Vec<_>>()).prop_shuffle();
    let repeats = proptest::collection::vec((any::<Index>(), any::<Index>()), 0..8);
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    let case = AtomicUsize::new(0);
    TestRunner::new(config)
        .run(&(shuffled, repeats, 1..12_usize), |(mut order, repeats, batch)| {
            for (which, at) in repeats {
                order.insert(at.index(order.len()), which.index(records.len()));
            }
            let case = case.fetch_add(1, Ordering::SeqCst);
            let harness = harness.with_records(&format!("records-{case}"));
            let ordered: Vec<Value> = order.iter().map(|at| records[*at].clone()).collect();
            let reported = runtime.block_on(async {
                for batch in ordered.chunks(batch) {
                    harness.handle(batch).await;
                }
                harness.records().await
            });
            prop_assert_eq!(&reported, &plain);
            Ok(())
        })
        .expect("the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_workers_on_the_same_people_end_alike() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let records = play(&bundle, &harness).await;
    let plain = plainly(&harness, &records).await;
    let backwards: Vec<Value> = records.iter().rev().cloned().collect();
    for (name, batches) in [
        ("the-same-twice", vec![records.clone(), backwards]),
        ("one-each", records.iter().map(|record| vec![record.clone()]).collect()),
    ] {
        let harness = harness.with_records(name);
        join_all(batches.iter().map(|batch| harness.handle(batch))).await;
        assert_eq!(harness.records().await, plain, "{name}");
    }
}

#[tokio::test]
async fn a_replay_does_not_open_what_was_closed() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let records = play(&bundle, &harness).await;
    harness.handle(&records).await;
    let path = format!("/v1/takeovers/{}", string(&harness.all("/v1/takeovers").await[0]["id"]));
    bundle.clock.advance(Duration::from_secs(1));
    let closed = harness.answer(Method::PATCH, &path, r#"{"state":"closed"}"#).await.json();
    assert_eq!(closed["state"], "closed");
    harness.handle(&records).await;
    assert_eq!(harness.answer(Method::GET, &path, "").await.json(), closed);
}

#[tokio::test]
async fn an_unreadable_event_is_set_aside_and_the_rest_goes_on() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let mut records = play(&bundle, &harness).await;
    let plain = plainly(&harness, &records).await;
    let harness = harness.with_records("poisoned");
    for (at, (attribute, value)) in
        [("v", json!({ "N": "99" })), ("sort", json!({ "S": "x" })), ("reading", json!({ "S": "{" }))]
            .iter()
            .enumerate()
    {
        let mut poison = records[3 * at].clone();
        poison["dynamodb"]["NewImage"][attribute] = value.clone();
        poison["dynamodb"]["Keys"]["pk"] = json!({ "S": format!("poison-{attribute}") });
        poison["dynamodb"]["NewImage"]["pk"] = poison["dynamodb"]["Keys"]["pk"].clone();
        records.insert(3 * at, poison);
    }
    records.insert(5, json!({ "eventName": "INSERT", "dynamodb": { "SequenceNumber": "7" } }));
    let (failed, letters) = harness.dispatch(&records).await;
    assert!(failed.is_empty(), "{failed:?}");
    let mut events: Vec<&str> = letters.iter().map(|letter| letter.event.as_str()).collect();
    events.sort_unstable();
    // By its id if that can be read, or else by its key.
    assert!(events[..2].iter().all(|id| id.starts_with("evt_")), "{events:?}");
    assert_eq!(events[2..], ["poison-sort", "unknown"]);
    assert!(letters.iter().all(|letter| !letter.reason.is_empty() && !letter.reason.contains("Ava")), "{letters:?}");
    assert_eq!(harness.records().await, plain);
}

/// A queue that can't be reached.
struct Unreached;

impl DeadLetters for Unreached {
    fn set_aside(&self, _: DeadLetter) -> SettingAside<'_> {
        Box::pin(async { Err("no queue".into()) })
    }
}

#[tokio::test]
async fn an_event_that_can_not_be_set_aside_comes_again() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let mut records = play(&bundle, &harness).await;
    let plain = plainly(&harness, &records).await;
    let harness = harness.with_records("again");
    let mut poison = records[0].clone();
    poison["dynamodb"]["NewImage"] = json!({ "reading": { "S": "" } });
    poison["dynamodb"]["SequenceNumber"] = json!("poison");
    records.push(poison);
    let failed = Dispatcher::new(Arc::new(Unreached)).dispatch(&harness.app, records).await;
    assert_eq!(failed, ["poison"]);
    assert_eq!(harness.records().await, plain);
}

#[tokio::test]
async fn a_poison_item_does_not_hold_up_the_stream() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let app = &bundle.local.app;
    let put = app.store.client.put_item().table_name(&app.config.tables.events);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    put.item("pk", text("poison")).item("reading", text("?")).send().await.expect("an item");
    bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    bundle.until_count("/v1/subscribers", 1).await;
}

#[tokio::test]
async fn a_refused_write_is_set_aside_and_the_rest_goes_on() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    for reason in ["first", "refused", "last"] {
        harness.accept(&hook, &json!({ "user": { "id": "u-1" }, "reason": reason })).await;
        bundle.clock.advance(Duration::from_millis(5));
    }
    let records = harness.stream(3).await;
    let refusing = harness.failing(RetryConfig::disabled(), |_, body| {
        if body.contains("refused") { Fault::Error(400, "ValidationException") } else { Fault::None }
    });
    let (failed, letters) = refusing.dispatch(&records).await;
    assert!(failed.is_empty(), "{failed:?}");
    let refused: Vec<&str> = letters.iter().map(|letter| letter.event.as_str()).collect();
    assert_eq!(refused, [event_of(&records[1])]);
    let kept: Vec<Value> = harness.all("/v1/takeovers").await.iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(kept, ["last", "first"]);
}

#[tokio::test]
async fn one_persons_failure_is_that_persons_alone() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let records = play(&bundle, &harness).await;
    let plain = plainly(&harness, &records).await;
    let ben = plain["subscribers"].as_array().expect("a list").iter().find(|one| one["platform_id"] == "u-ben");
    let ben = string(&ben.expect("Ben")["id"]);
    let harness = harness.with_records("flaky");
    let named = ben.clone();
    let flaky = harness.failing(RetryConfig::disabled(), move |operation, body| {
        if operation != "Query" && body.contains(&named) { Fault::Unreached } else { Fault::None }
    });
    let (mut failed, letters) = flaky.dispatch(&records).await;
    failed.sort();
    let of_ben = |record: &&Value| {
        record["dynamodb"]["NewImage"]["person"]["S"].as_str().is_some_and(|key| key.starts_with(&ben))
    };
    let mut expected: Vec<String> = records.iter().filter(of_ben).map(number).collect();
    expected.sort();
    assert_eq!((failed, expected.len(), letters.len()), (expected, 3, 0));
    assert_eq!(harness.all("/v1/subscribers").await.len(), 1);
    harness.handle(&records.iter().filter(of_ben).cloned().collect::<Vec<_>>()).await;
    assert_eq!(harness.records().await, plain);
}

/// The id of a record's event.
fn event_of(record: &Value) -> String {
    let sort = string(&record["dynamodb"]["NewImage"]["sort"]["S"]);
    sort.split(' ').next().unwrap_or_default().to_owned()
}

/// Fails the request of this number, and counts them all.
fn failing_at<'b>(harness: &Harness<'b>, fault: Fault, at: usize) -> (Harness<'b>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let faults = move |_: &str, _: &str| {
        if counted.fetch_add(1, Ordering::SeqCst) == at { fault } else { Fault::None }
    };
    (harness.failing(RetryConfig::disabled(), faults), count)
}

#[tokio::test]
async fn nothing_is_lost_at_any_failure_of_the_store() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let records = play(&bundle, &harness).await;
    let plain = plainly(&harness, &records).await;
    let faults = [Fault::Unreached, Fault::AnswerLost, Fault::Error(400, "ThrottlingException")];
    for (which, fault) in faults.into_iter().enumerate() {
        for at in 0.. {
            let harness = harness.with_records(&format!("records-{which}-{at}"));
            let (flaky, count) = failing_at(&harness, fault, at);
            let (failed, letters) = flaky.dispatch(&records).await;
            assert!(letters.is_empty(), "{letters:?}");
            let all = count.load(Ordering::SeqCst) <= at;
            assert_eq!(failed.is_empty(), all, "request {at}");
            if all {
                assert!(at > 10, "{at} requests");
                break;
            }
            let again: Vec<Value> = records.iter().filter(|record| failed.contains(&number(record))).cloned().collect();
            harness.handle(&again).await;
            assert_eq!(harness.records().await, plain, "request {at}, {fault:?}");
        }
    }
}
