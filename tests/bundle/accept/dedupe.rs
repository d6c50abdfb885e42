//! The same content within the window is one event; after it, both stay.

use futures::future::join_all;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tests::{Bundle, TestHook, eventually, string};

const RACERS: usize = 16;

fn body() -> Value {
    json!({ "user": { "id": "u-1" }, "checkpoint": { "name": "Order" }, "record": { "fields": { "n": 1 } } })
}

/// A bundle whose time stands still.
async fn bundle() -> Bundle {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    bundle
}

/// Posts the body; what became of it, and the event's id.
async fn post(bundle: &Bundle, hook: &TestHook) -> (String, String) {
    let answer = bundle.send(&hook.url, body().to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    (string(&answer.json()["status"]), string(&answer.json()["event"]))
}

/// Posts the body many times at once: one is accepted, the others are duplicates of it.
async fn race(bundle: &Bundle, hook: &TestHook) -> String {
    let receipts = join_all((0..RACERS).map(|_| post(bundle, hook))).await;
    let ids: BTreeSet<&String> = receipts.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 1, "{receipts:?}");
    let count = |status: &str| receipts.iter().filter(|receipt| receipt.0 == status).count();
    assert_eq!((count("accepted"), count("duplicate")), (1, RACERS - 1), "{receipts:?}");
    receipts[0].1.clone()
}

async fn listed(bundle: &Bundle) -> Vec<String> {
    bundle.all("/v1/events").await.iter().map(|event| string(&event["id"])).collect()
}

fn status(receipt: &(String, String)) -> &str {
    &receipt.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_posts_at_one_instant_are_one_event() {
    let bundle = bundle().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    let id = race(&bundle, &hook).await;
    assert_eq!(listed(&bundle).await, [id]);
    bundle.until_count("/v1/checkpoint-records", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_posts_after_the_window_are_one_new_event() {
    let bundle = bundle().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, race(&bundle, &hook).await);
        assert_eq!(listed(&bundle).await, ids);
        bundle.clock.advance(Duration::from_secs(600));
    }
    bundle.until_count("/v1/checkpoint-records", 3).await;
}

#[tokio::test]
async fn the_window_ends_at_ten_minutes_and_a_duplicate_does_not_extend_it() {
    let bundle = bundle().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    let (_, first) = post(&bundle, &hook).await;
    for millis in [0, 300_000, 299_999] {
        bundle.clock.advance(Duration::from_millis(millis));
        assert_eq!(post(&bundle, &hook).await, ("duplicate".to_owned(), first.clone()));
    }
    bundle.clock.advance(Duration::from_millis(1));
    let (outcome, second) = post(&bundle, &hook).await;
    assert_eq!(outcome, "accepted");
    assert_ne!(first, second);
    assert_eq!(post(&bundle, &hook).await, ("duplicate".to_owned(), second));
}

#[tokio::test]
async fn every_generation_stays_listed_readable_and_projected() {
    let bundle = bundle().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let (outcome, id) = post(&bundle, &hook).await;
        assert_eq!(outcome, "accepted");
        ids.insert(0, id);
        bundle.clock.advance(Duration::from_secs(86_400));
    }
    assert_eq!(listed(&bundle).await, ids);
    for id in &ids {
        let event = bundle.get(&format!("/v1/events/{id}"), 200).await;
        assert_eq!((&event["id"], &event["data"]["raw"]), (&json!(id), &body()));
    }
    let records = bundle.until_count("/v1/checkpoint-records", ids.len()).await;
    assert_eq!(records.iter().map(|record| string(&record["event"])).collect::<Vec<_>>(), ids);
    let events = bundle.all("/v1/events").await;
    let seen = eventually(|| async {
        let [person] = bundle.all("/v1/subscribers").await.try_into().ok()?;
        (person["last_seen"] == events[0]["time"]).then_some(person)
    });
    assert_eq!(seen.await["first_seen"], events[3]["time"]);
}

#[tokio::test]
async fn no_window_means_no_deduplication() {
    let bundle = bundle().await;
    let hook = bundle.hook_with("botstar.watch-tag", json!({ "dedupe_seconds": 0 })).await;
    let receipts = join_all((0..RACERS).map(|_| post(&bundle, &hook))).await;
    assert!(receipts.iter().all(|receipt| status(receipt) == "accepted"), "{receipts:?}");
    let ids: BTreeSet<String> = receipts.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, listed(&bundle).await.into_iter().collect());
    assert_eq!(ids.len(), RACERS);
}

#[tokio::test]
async fn a_hooks_own_window_counts_and_a_change_of_it_takes_effect() {
    let bundle = Bundle::start_with(&[("DEDUPE_WINDOW_SECONDS", "100")]).await;
    bundle.clock.hold();
    let own = bundle.hook_with("botstar.watch-tag", json!({ "dedupe_seconds": 5 })).await;
    let default = bundle.hook("botstar.watch-tag").await;
    for (hook, seconds) in [(&own, 5), (&default, 100)] {
        post(&bundle, hook).await;
        bundle.clock.advance(Duration::from_millis(seconds * 1_000 - 1));
        assert_eq!(status(&post(&bundle, hook).await), "duplicate");
        bundle.clock.advance(Duration::from_millis(1));
        assert_eq!(status(&post(&bundle, hook).await), "accepted");
    }
    let longer = json!({ "settings": { "dedupe_seconds": 31_536_000 } });
    bundle.patch(&format!("/v1/hooks/{}", own.id), &longer, 200).await;
    bundle.clock.advance(Duration::from_secs(30_000_000));
    assert_eq!(status(&post(&bundle, &own).await), "duplicate");
}

#[tokio::test]
async fn the_same_body_on_two_hooks_is_two_events() {
    let bundle = bundle().await;
    let connection = bundle.connection("botstar").await;
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        let hook = bundle.hook_on(&connection, "botstar.watch-checkpoint-record", json!({})).await;
        let (outcome, id) = post(&bundle, &hook).await;
        assert_eq!(outcome, "accepted");
        ids.insert(id);
    }
    assert_eq!(ids.len(), 2);
    assert_eq!(listed(&bundle).await.into_iter().collect::<BTreeSet<_>>(), ids);
    bundle.until_count("/v1/checkpoint-records", 2).await;
    bundle.until_count("/v1/subscribers", 1).await;
}
