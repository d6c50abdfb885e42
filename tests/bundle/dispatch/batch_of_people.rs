//! New events of many people in one batch of the stream: how many requests they take, and what comes between.

use crate::support::harness::{Fault, Harness, items, number};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tests::{Bundle, TestHook, string};
use tokio::{runtime::Handle, task::block_in_place};

const PEOPLE: usize = 100;
const ON_LAPTOP: (&str, &str) = ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8");

/// Accepts one event for each of this many people, and returns the records of the stream.
async fn accept(harness: &Harness<'_>, hook: &TestHook, people: usize, fields: Value) -> Vec<Value> {
    harness.bundle.clock.advance(Duration::from_secs(1));
    for n in 0..people {
        let mut body = json!({ "user": { "id": format!("u-{n}"), "name": format!("Person {n}") } });
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        harness.accept(hook, &body).await;
    }
    let mut records = harness.so_far().await;
    records.split_off(records.len() - people)
}

/// Makes a route of all events.
async fn route(bundle: &Bundle, filter: Value) {
    let target = json!({ "type": "webhook", "url": "http://127.0.0.1:9/" });
    let route = json!({ "name": "All", "events": ["botstar.*"], "filter": filter, "target": target });
    bundle.post("/v1/routes", &route, 201).await;
}

/// Number of requests by operation and table.
type Counted = BTreeMap<(String, String), usize>;

/// Dispatches records, and counts the requests to the store.
async fn counted(harness: &Harness<'_>, records: &[Value]) -> Counted {
    let tables = &harness.app.config.tables;
    let names = [&tables.records, &tables.deliveries, &tables.events, &tables.control].map(Clone::clone);
    let counted = Arc::new(Mutex::new(Counted::new()));
    let counting = Arc::clone(&counted);
    let counter = harness.failing(RetryConfig::disabled(), move |operation, body| {
        let table = names.iter().find(|name| body.contains(*name)).expect("a table of ours");
        let key = (operation.to_owned(), table.clone());
        *counting.lock().unwrap().entry(key).or_default() += 1;
        Fault::None
    });
    counter.handle(records).await;
    counted.lock().unwrap().clone()
}

#[tokio::test]
async fn a_batch_of_a_hundred_people_takes_few_requests() {
    let bundle = Bundle::start_with(&[ON_LAPTOP]).await;
    let harness = Harness::beside(&bundle);
    let tags = bundle.hook("botstar.watch-tag").await;
    let takeovers = bundle.hook_on(&tags.connection, "botstar.watch-human-takeover", json!({})).await;
    route(&bundle, Value::Null).await;
    let tables = &harness.app.config.tables;
    let expected = |reads: usize, on_records: usize| {
        let mut expected = Counted::from([
            (("Query".to_owned(), tables.control.clone()), 1),
            (("BatchGetItem".to_owned(), tables.records.clone()), reads),
            (("BatchExecuteStatement".to_owned(), tables.deliveries.clone()), 4),
        ]);
        if on_records > 0 {
            expected.insert(("BatchExecuteStatement".to_owned(), tables.records.clone()), on_records);
        }
        expected
    };
    let first = accept(&harness, &tags, PEOPLE, json!({ "tag": "new" })).await;
    assert_eq!(counted(&harness, &first).await, expected(1, 4), "people who were not known");
    let second = accept(&harness, &tags, PEOPLE, json!({ "tag": "again" })).await;
    assert_eq!(counted(&harness, &second).await, expected(1, 4), "people who were");
    let third = accept(&harness, &takeovers, PEOPLE, json!({ "reason": "refund" })).await;
    assert_eq!(counted(&harness, &third).await, expected(1, 8), "takeovers as well");
    assert_eq!(
        counted(&harness, &first).await,
        expected(2, 0),
        "nothing that has changed: the people are read once more, as they are now"
    );
    assert_eq!(counted(&harness, &third).await, expected(2, 4), "takeovers that are there");

    let reported = harness.records().await;
    let (people, takeovers) = (reported["subscribers"].as_array().unwrap(), reported["takeovers"].as_array().unwrap());
    assert_eq!((people.len(), takeovers.len()), (PEOPLE, PEOPLE));
    assert!(people.iter().all(|person| person["tags"] == json!(["again", "new"])), "{people:?}");
    assert_eq!(items(&harness.app, &tables.deliveries).await.len(), 3 * PEOPLE);
}

/// Each begun KB of an item is paid for, whenever it is written.
#[tokio::test]
async fn a_person_of_the_usual_size_takes_one_kilobyte() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let tags = bundle.hook("botstar.watch-tag").await;
    let user = json!({
        "id": "5f1a2b3c4d5e6f7a8b9c0d1e", "name": "Avabelle Chen", "email": "avabelle.chen@example.com",
        "phone": "+41 79 123 45 67", "locale": "en_US", "tags": ["newsletter", "vip"],
        "plan": "gold", "city": "Zurich", "orders": 12,
    });
    for tag in ["newsletter", "vip"] {
        harness.accept(&tags, &json!({ "user": user, "tag": tag })).await;
        harness.handle(&harness.so_far().await).await;
        let [item] = items(&harness.app, &harness.app.config.tables.records).await.try_into().unwrap();
        let bytes: usize = item.lines().map(|line| line.len() - ": ".len()).sum();
        assert!(bytes < 1024, "{bytes} bytes: {item}");
    }
}

/// A harness that is there as long as the test runs, so that something may be done on it in the middle of a request.
async fn lasting() -> (&'static Harness<'static>, TestHook) {
    let bundle: &Bundle = Box::leak(Box::new(Bundle::start().await));
    bundle.clock.hold();
    let hook = bundle.hook("botstar.watch-tag").await;
    (Box::leak(Box::new(Harness::beside(bundle))), hook)
}

/// The harness, where something is done just before people are first written.
fn with_another_writer(
    harness: &'static Harness<'static>,
    write: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
) -> Harness<'static> {
    let is_done = AtomicBool::new(false);
    harness.failing(RetryConfig::disabled(), move |operation, body| {
        let writes_people = operation == "BatchExecuteStatement" && body.contains("staged-records");
        if writes_people && !is_done.swap(true, Ordering::SeqCst) {
            block_in_place(|| Handle::current().block_on(write()));
        }
        Fault::None
    })
}

async fn person(harness: &Harness<'_>, platform_id: &str) -> Value {
    let people = harness.all("/v1/subscribers").await;
    people.into_iter().find(|one| one["platform_id"] == platform_id).unwrap_or_else(|| panic!("{platform_id}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_changed_between_read_and_write_is_folded_again() {
    let (harness, hook) = lasting().await;
    for (tag, other_tag) in [("new", "another"), ("later", "another still")] {
        harness.accept(&hook, &json!({ "user": { "id": "u-3" }, "tag": other_tag })).await;
        let mut others = harness.so_far().await;
        let others = others.split_off(others.len() - 1);
        let batch = accept(harness, &hook, 30, json!({ "tag": tag })).await;
        let racing = with_another_writer(harness, move || {
            let others = others.clone();
            Box::pin(async move { harness.handle(&others).await })
        });
        racing.handle(&batch).await;
    }
    assert_eq!(person(harness, "u-3").await["tags"], json!(["another", "another still", "later", "new"]));
    assert_eq!(person(harness, "u-3").await["name"], "Person 3");
    let people = harness.all("/v1/subscribers").await;
    assert_eq!(people.iter().filter(|one| one["tags"] == json!(["later", "new"])).count(), 29, "{people:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_erased_between_read_and_write_stays_erased() {
    let (harness, tags) = lasting().await;
    let takeovers = harness.bundle.hook_on(&tags.connection, "botstar.watch-human-takeover", json!({})).await;
    harness.handle(&accept(harness, &tags, 30, json!({ "tag": "new" })).await).await;
    let id = string(&person(harness, "u-3").await["id"]);
    let batch = accept(harness, &takeovers, 30, json!({ "reason": "a secret" })).await;
    let path = format!("/v1/subscribers/{id}");
    let racing = with_another_writer(harness, move || {
        let path = path.clone();
        Box::pin(async move { assert_eq!(harness.answer(Method::DELETE, &path, "").await.status, 204) })
    });
    for _ in 0..2 {
        racing.handle(&batch).await;
        assert_eq!(harness.answer(Method::GET, &format!("/v1/subscribers/{id}"), "").await.status, 404);
        let reported = harness.records().await;
        assert!(!reported.to_string().contains(&id), "{reported}");
        assert_eq!(reported["takeovers"].as_array().map(Vec::len), Some(29));
        let events = harness.all("/v1/events").await;
        let of_person = events.iter().filter(|event| event["subject"] == id.as_str());
        assert_eq!(of_person.map(|event| &event["data"]["raw"]).collect::<Vec<_>>(), [&Value::Null; 2]);
    }
}

/// Sends events of many people. Returns the events and the records made from them.
async fn play(bundle: &Bundle, harness: &Harness<'_>) -> (Vec<Value>, Value) {
    bundle.clock.hold();
    let tags = bundle.hook("botstar.watch-tag").await;
    let takeovers = bundle.hook_on(&tags.connection, "botstar.watch-human-takeover", json!({})).await;
    let mut records = accept(harness, &tags, 12, json!({ "tag": "new" })).await;
    records.extend(accept(harness, &takeovers, 10, json!({ "reason": "refund" })).await);
    harness.handle(&records).await;
    (records, harness.records().await)
}

#[tokio::test]
async fn a_poison_event_among_new_people_is_set_aside_alone() {
    let bundle = Bundle::start_with(&[ON_LAPTOP]).await;
    let harness = Harness::beside(&bundle);
    // The input of the filter can't be built from one of these events.
    route(&bundle, json!("data.tag == 'new'")).await;
    let (mut records, plain) = play(&bundle, &harness).await;
    let harness = harness.with_records("poisoned");
    let poisons = [("v", json!({ "N": "99" })), ("sort", json!({ "S": "x" })), ("told", json!({ "S": "{" }))];
    for (at, (attribute, value)) in poisons.into_iter().enumerate() {
        let mut poison = records[5 * at].clone();
        poison["dynamodb"]["NewImage"][attribute] = value;
        poison["dynamodb"]["Keys"]["pk"] = json!({ "S": format!("poison-{attribute}") });
        poison["dynamodb"]["NewImage"]["pk"] = poison["dynamodb"]["Keys"]["pk"].clone();
        records.insert(5 * at, poison);
    }
    let (failed, letters) = harness.dispatch(&records).await;
    assert!(failed.is_empty(), "{failed:?}");
    let mut events: Vec<&str> = letters.iter().map(|letter| letter.event.as_str()).collect();
    events.sort_unstable();
    assert!(events[..2].iter().all(|id| id.starts_with("evt_")), "{events:?}");
    assert_eq!(events[2..], ["poison-sort"]);
    assert_eq!(harness.records().await, plain);
}

#[tokio::test]
async fn an_event_that_the_store_refuses_is_set_aside_alone() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let (records, plain) = play(&bundle, &harness).await;
    let image = &records[12]["dynamodb"]["NewImage"];
    let takeover = string(&image["sort"]["S"]).split(' ').next().unwrap().replace("evt_", "tko_");
    let harness = harness.with_records("refused");
    let marked = takeover.clone();
    let refusing = harness.failing(RetryConfig::disabled(), move |_, body| {
        if body.contains(&marked) { Fault::Error(400, "ValidationException") } else { Fault::None }
    });
    let (failed, letters) = refusing.dispatch(&records).await;
    assert!(failed.is_empty(), "{failed:?}");
    let set_aside: Vec<&str> = letters.iter().map(|letter| letter.event.as_str()).collect();
    assert_eq!(set_aside, [takeover.replace("tko_", "evt_")]);
    let (mut reported, mut expected) = (harness.records().await, plain);
    for reported in [&mut reported, &mut expected] {
        reported["takeovers"].as_array_mut().unwrap().retain(|one| one["id"] != takeover.as_str());
        // The event that was set aside has not been folded in, so `last_seen` differs.
        for person in reported["subscribers"].as_array_mut().unwrap() {
            person["last_seen"].take();
        }
    }
    assert_eq!(reported, expected);
}

#[tokio::test]
async fn one_persons_failure_is_that_persons_alone_in_a_batch_too() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let (records, plain) = play(&bundle, &harness).await;
    let key = string(&records[3]["dynamodb"]["NewImage"]["person"]["S"]);
    let id = key.split('#').next().unwrap().to_owned();
    let harness = harness.with_records("flaky");
    let named = id.clone();
    let flaky = harness.failing(RetryConfig::disabled(), move |operation, body| {
        if operation != "Query" && body.contains(&named) { Fault::Unreached } else { Fault::None }
    });
    let (failed, letters) = flaky.dispatch(&records).await;
    let of_person = |record: &&Value| {
        record["dynamodb"]["NewImage"]["person"]["S"].as_str().is_some_and(|key| key.starts_with(&id))
    };
    let mut expected: Vec<String> = records.iter().filter(of_person).map(number).collect();
    expected.sort();
    let mut sorted = failed;
    sorted.sort();
    assert_eq!((sorted, expected.len(), letters.len()), (expected, 2, 0));
    assert_eq!(harness.all("/v1/subscribers").await.len(), 11);
    harness.handle(&records.iter().filter(of_person).cloned().collect::<Vec<_>>()).await;
    assert_eq!(harness.records().await, plain);
}

#[tokio::test]
async fn a_batch_loses_nothing_at_any_failure_of_the_store() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let (records, plain) = play(&bundle, &harness).await;
    let faults = [Fault::Unreached, Fault::AnswerLost, Fault::Error(400, "ThrottlingException")];
    for (which, fault) in faults.into_iter().enumerate() {
        for at in 0.. {
            let harness = harness.with_records(&format!("records-{which}-{at}"));
            let count = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&count);
            let flaky = harness.failing(RetryConfig::disabled(), move |_, _| {
                if counted.fetch_add(1, Ordering::SeqCst) == at { fault } else { Fault::None }
            });
            let (failed, letters) = flaky.dispatch(&records).await;
            assert!(letters.is_empty(), "{letters:?}");
            let again: Vec<Value> = records.iter().filter(|record| failed.contains(&number(record))).cloned().collect();
            if !again.is_empty() {
                harness.handle(&again).await;
            }
            assert_eq!(harness.records().await, plain, "request {at}, {fault:?}");
            if count.load(Ordering::SeqCst) <= at {
                assert!(failed.is_empty() && at >= 4, "{at} requests");
                break;
            }
        }
    }
}
