//! Lists: pages, cursors, filters.

use crate::support::harness::Harness;
use futures::future::join_all;
use models::Timestamp;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tests::{Bundle, TestHook, answer, string};

/// Reads a list page by page, each of a size of its own; `between` comes before every page but the first.
async fn walk(bundle: &Bundle, path: &str, sizes: &[usize], between: impl AsyncFn()) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    for size in sizes.iter().cycle() {
        let joint = if path.contains('?') { '&' } else { '?' };
        let page = bundle.get(&format!("{path}{joint}limit={size}{cursor}"), 200).await;
        let shown = page["items"].as_array().expect("items");
        assert!(shown.len() <= *size, "{} of {size}", shown.len());
        items.extend(shown.iter().cloned());
        let Some(next) = page["next"].as_str() else { break };
        assert_ne!(cursor, format!("&cursor={next}"), "it goes on");
        cursor = format!("&cursor={next}");
        between().await;
    }
    items
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| string(&item["id"])).collect()
}

fn sizes() -> impl proptest::strategy::Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1..10_usize, 1..6)
}

struct Filled {
    bundle: Bundle,
    orders: TestHook,
    takeovers: TestHook,
}

const EACH: usize = 25;

/// A bundle with so many of everything that is listed by time.
async fn filled() -> Filled {
    let bundle = Bundle::start().await;
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let takeovers = bundle.hook_on(&orders.connection, "botstar.watch-human-takeover", json!({})).await;
    join_all((0..EACH).map(|n| {
        let (bundle, orders, takeovers) = (&bundle, &orders, &takeovers);
        async move {
            let user = json!({ "id": n });
            bundle.accept(orders, &json!({ "user": user, "checkpoint": "Order", "fields": { "n": n } })).await;
            bundle.accept(takeovers, &json!({ "user": user })).await;
            assert_eq!(bundle.send(&orders.url, format!("rejected {n}")).await.status, 400);
        }
    }))
    .await;
    for path in ["/v1/checkpoint-records", "/v1/takeovers", "/v1/subscribers"] {
        bundle.until_count(path, EACH).await;
    }
    bundle.clock.advance(Duration::from_secs(1));
    Filled { bundle, orders, takeovers }
}

#[test]
fn pages_of_any_size_skip_and_repeat_nothing() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let Filled { bundle, orders, takeovers } = runtime.block_on(filled());
    let rejected = format!("/v1/hooks/{}/rejected", orders.id);
    let of_hook = format!("/v1/events?hook={}", takeovers.id);
    let lists = [
        ("/v1/events", 2 * EACH, "time"),
        (of_hook.as_str(), EACH, "time"),
        ("/v1/subscribers", EACH, "first_seen"),
        ("/v1/checkpoint-records", EACH, "created_at"),
        ("/v1/takeovers", EACH, "created_at"),
        (rejected.as_str(), EACH, "at"),
    ];
    let config = proptest::test_runner::Config { cases: 4, failure_persistence: None, ..Default::default() };
    for (path, count, time) in lists {
        let whole = runtime.block_on(bundle.all(path));
        assert_eq!(whole.len(), count, "{path}");
        assert!(whole.is_sorted_by(|a, b| string(&a[time]) >= string(&b[time])), "{path}: newest first");
        let mut different = ids(&whole);
        different.sort();
        different.dedup();
        assert_eq!(different.len(), count, "{path}");
        TestRunner::new(config.clone())
            .run(&sizes(), |sizes| {
                let walked = runtime.block_on(walk(&bundle, path, &sizes, async || {}));
                proptest::prop_assert_eq!(&walked, &whole);
                Ok(())
            })
            .expect("every item once");
    }
    for limit in [1, 100] {
        let page = runtime.block_on(bundle.get(&format!("/v1/events?limit={limit}"), 200));
        assert_eq!(page["items"].as_array().map(Vec::len), Some(limit.min(2 * EACH)));
    }
    let page = runtime.block_on(bundle.get("/v1/events", 200));
    assert_eq!(page["items"].as_array().map(Vec::len), Some(20));
}

#[test]
fn arrivals_between_pages_move_nothing() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let Filled { bundle, orders, .. } = runtime.block_on(filled());
    let arrived = AtomicUsize::new(0);
    let config = proptest::test_runner::Config { cases: 3, failure_persistence: None, ..Default::default() };
    for path in ["/v1/events", "/v1/subscribers", "/v1/checkpoint-records"] {
        TestRunner::new(config.clone())
            .run(&sizes(), |sizes| {
                runtime.block_on(async {
                    let count = EACH + arrived.load(Ordering::SeqCst);
                    bundle.until_count("/v1/subscribers", count).await;
                    bundle.clock.advance(Duration::from_secs(1));
                    let before = ids(&bundle.all(path).await);
                    let walked = walk(&bundle, path, &sizes, async || {
                        let n = arrived.fetch_add(1, Ordering::SeqCst);
                        let body = json!({ "user": { "id": format!("new {n}") }, "checkpoint": "Order", "fields": {} });
                        bundle.accept(&orders, &body).await;
                    })
                    .await;
                    proptest::prop_assert_eq!(ids(&walked), before);
                    Ok(())
                })
            })
            .expect("every item once");
    }
}

#[tokio::test]
async fn events_are_filtered_by_hook_type_and_time() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let tag = bundle.hook("botstar.watch-tag").await;
    let other = bundle.hook("botstar.watch-tag").await;
    let takeover = bundle.hook("botstar.watch-human-takeover").await;
    let (mut events, mut times) = (Vec::new(), Vec::new());
    for hook in [&tag, &other, &takeover, &tag] {
        times.push(bundle.local.app.now());
        events.push(bundle.accept(hook, &json!({ "user": { "id": events.len() }, "tag": "t" })).await);
        bundle.clock.advance(Duration::from_millis(1));
    }
    for (filter, wanted) in [
        (format!("hook={}", tag.id), vec![3, 0]),
        ("type=botstar.tag.added".to_owned(), vec![3, 1, 0]),
        (format!("type=botstar.tag.added&hook={}", other.id), vec![1]),
        (format!("type=botstar.takeover.requested&hook={}", other.id), vec![]),
        ("type=botstar.nothing".to_owned(), vec![]),
        (format!("after={}", times[1]), vec![3, 2]),
        (format!("before={}", times[2]), vec![1, 0]),
        (format!("after={}&before={}", times[0], times[3]), vec![2, 1]),
        (format!("after={}&before={}&hook={}", times[0], times[3], tag.id), vec![]),
        (format!("after={}&before={}", times[1], times[2]), vec![]),
        (format!("after={0}&before={0}", times[1]), vec![]),
        (format!("after={}&before={}", times[3], times[0]), vec![]),
    ] {
        let wanted: Vec<String> = wanted.into_iter().map(|at: usize| events[at].clone()).collect();
        assert_eq!(ids(&bundle.all(&format!("/v1/events?{filter}")).await), wanted, "{filter}");
        assert_eq!(ids(&walk(&bundle, &format!("/v1/events?{filter}"), &[1], async || {}).await), wanted, "{filter}");
    }
    bundle.get(&format!("/v1/events?hook={}", events[0]), 422).await;
    bundle.get("/v1/events?after=yesterday", 422).await;
}

#[tokio::test]
async fn records_are_filtered() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let orders = bundle.hook("botstar.watch-checkpoint-record").await;
    let takeovers = bundle.hook_on(&orders.connection, "botstar.watch-human-takeover", json!({})).await;
    let mut times = Vec::new();
    for (user, tag, checkpoint) in [("u-1", "a", "Order"), ("u-2", "b", "Order"), ("u-1", "c", "Other")] {
        times.push(bundle.local.app.now());
        let body = json!({ "user": { "id": user, "tags": [tag] }, "checkpoint": checkpoint, "fields": {} });
        bundle.accept(&orders, &body).await;
        bundle.clock.advance(Duration::from_millis(1));
    }
    for user in ["u-1", "u-2"] {
        bundle.accept(&takeovers, &json!({ "user": { "id": user } })).await;
        bundle.clock.advance(Duration::from_millis(1));
    }
    let records = bundle.until_count("/v1/checkpoint-records", 3).await;
    let open = bundle.until_count("/v1/takeovers?state=open", 2).await;
    let subscribers = bundle.until_count("/v1/subscribers", 2).await;
    bundle.until_count("/v1/subscribers?tag=c", 1).await;
    assert_eq!(subscribers[0]["platform_id"], "u-2", "first seen last");
    let (ben, ava) = (string(&subscribers[0]["id"]), string(&subscribers[1]["id"]));
    let record = |at: usize| string(&records[at]["id"]);
    let of = |at: usize| string(&records[at]["event"]);
    bundle.patch(&format!("/v1/takeovers/{}", string(&open[0]["id"])), &json!({ "state": "claimed" }), 200).await;
    for (path, wanted) in [
        ("subscribers?platform=botstar".to_owned(), vec![ben.clone(), ava.clone()]),
        ("subscribers?tag=a".to_owned(), vec![ava.clone()]),
        ("subscribers?tag=b&platform=botstar".to_owned(), vec![ben.clone()]),
        ("subscribers?tag=nobodys".to_owned(), vec![]),
        ("checkpoint-records?checkpoint=Order".to_owned(), vec![record(1), record(2)]),
        (format!("checkpoint-records?subscriber={ava}"), vec![record(0), record(2)]),
        (format!("checkpoint-records?subscriber={ava}&checkpoint=Order"), vec![record(2)]),
        (format!("events?subscriber={ava}&type=botstar.checkpoint_record.created"), vec![of(0), of(2)]),
        (format!("events?subscriber={ben}&after={}&type=*.created", times[0]), vec![of(1)]),
        (format!("events?subscriber={ben}&before={}", times[1]), vec![]),
        (format!("checkpoint-records?after={}", times[0]), vec![record(0), record(1)]),
        (format!("checkpoint-records?before={}&subscriber={ava}", times[2]), vec![record(2)]),
        (format!("checkpoint-records?after={}&before={}", times[0], times[2]), vec![record(1)]),
        (format!("checkpoint-records?after={}&before={}", times[2], times[0]), vec![]),
        ("takeovers?state=open".to_owned(), vec![string(&open[1]["id"])]),
        ("takeovers?state=claimed".to_owned(), vec![string(&open[0]["id"])]),
        ("takeovers?state=closed".to_owned(), vec![]),
    ] {
        assert_eq!(ids(&bundle.all(&format!("/v1/{path}")).await), wanted, "{path}");
        assert_eq!(ids(&walk(&bundle, &format!("/v1/{path}"), &[1], async || {}).await), wanted, "{path}");
    }
    for path in [
        "subscribers?platform=nothing",
        "takeovers?state=lost",
        "checkpoint-records?subscriber=u-1",
        "events?subscriber=u-1",
    ] {
        bundle.get(&format!("/v1/{path}"), 422).await;
    }
}

#[tokio::test]
async fn a_page_ends_at_four_megabytes() {
    const MAX_BYTES: usize = 4 * 1024 * 1024;
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let count = 25;
    for n in 0..count {
        bundle.accept(&hook, &json!({ "tag": n, "padding": "x".repeat(250_000) })).await;
    }
    let (mut shown, mut cursor) = (Vec::new(), String::new());
    loop {
        let text = answer(bundle.request(Method::GET, &format!("/v1/events?limit=100{cursor}"))).await.text;
        assert!(text.len() < MAX_BYTES + 1_000, "{}", text.len());
        let page: Value = serde_json::from_str(&text).expect("JSON");
        shown.extend(page["items"].as_array().expect("items").iter().map(|event| string(&event["data"]["tag"])));
        let Some(next) = page["next"].as_str() else { break };
        assert!(text.len() > MAX_BYTES - 260_000, "{}", text.len());
        cursor = format!("&cursor={next}");
    }
    assert_eq!(shown, (0..count).rev().map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_filtered_page_may_be_empty_and_have_a_next() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    let count = 450;
    for n in 0..count {
        harness.accept(&hook, &json!({ "reason": n })).await;
    }
    harness.handle(&harness.stream(count).await).await;
    let (mut path, mut oldest, mut seen) = ("/v1/takeovers?limit=100".to_owned(), Value::Null, 0);
    loop {
        let page = harness.answer(Method::GET, &path, "").await.json();
        let items = page["items"].as_array().expect("items");
        seen += items.len();
        oldest = items.last().cloned().unwrap_or(oldest);
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/takeovers?limit=100&cursor={next}");
    }
    assert_eq!(seen, count);
    let id = string(&oldest["id"]);
    harness.answer(Method::PATCH, &format!("/v1/takeovers/{id}"), r#"{"state":"closed"}"#).await;
    let first = harness.answer(Method::GET, "/v1/takeovers?state=closed", "").await.json();
    assert_eq!(first["items"], json!([]));
    let cursor = string(&first["next"]);
    let second = harness.answer(Method::GET, &format!("/v1/takeovers?state=closed&cursor={cursor}"), "").await.json();
    assert_eq!(ids(second["items"].as_array().expect("items")), [id]);
    assert_eq!(second["next"], Value::Null);
    let elsewhere = harness.answer(Method::GET, &format!("/v1/takeovers?state=open&cursor={cursor}"), "").await;
    assert_eq!(elsewhere.status, 422, "a cursor is bound to its filters");
}

#[tokio::test]
async fn times_of_any_zone_filter() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &json!({ "tag": "t" })).await;
    let now = Timestamp::from_millis(bundle.local.app.now().millis() + 7_200_000).to_string().replace('Z', "%2B02:00");
    assert_eq!(ids(&bundle.all(&format!("/v1/events?before={}", now.replace("%2B02", "%2B01"))).await), [event]);
    assert_eq!(bundle.all(&format!("/v1/events?after={now}")).await.len(), 0);
}
