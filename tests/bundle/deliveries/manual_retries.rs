//! Deliveries that are retried by hand: one by one, and all that a filter takes.

use crate::support::{
    assertions::{pointers, refused},
    receiver::{Receiver, route, start, until_all},
};
use models::{
    DeliveryState, EventId, StoredDelivery, Timestamp,
    delivery::{DeliveryOrigin, DeliveryTimes, Reason},
    ids::ContentKey,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Bundle, eventually, string};

fn tagged(n: usize) -> Value {
    json!({ "user": { "id": n }, "tag": "vip" })
}

fn path(delivery: &Value) -> String {
    format!("/v1/deliveries/{}", string(&delivery["id"]))
}

async fn retry(bundle: &Bundle, delivery: &Value) -> Value {
    bundle.post(&format!("{}/retry", path(delivery)), &json!({}), 200).await
}

/// A retry that has to be refused, in these words.
async fn not_retried(bundle: &Bundle, delivery: &Value, expected: &str) {
    let problem = refused(bundle.request(Method::POST, &format!("{}/retry", path(delivery))), 409, "conflict").await;
    assert!(string(&problem["detail"]).contains(expected), "{problem}");
    assert_eq!(bundle.get(&path(delivery), 200).await, *delivery, "it is as it was");
}

/// Waits until a delivery is in this state after so many attempts.
async fn until(bundle: &Bundle, delivery: &Value, state: &str, attempts: usize) -> Value {
    eventually(|| async {
        let delivery = bundle.get(&path(delivery), 200).await;
        let tried = delivery["attempts"].as_array().unwrap().len();
        (delivery["state"] == state && tried == attempts).then_some(delivery)
    })
    .await
}

#[tokio::test]
async fn a_dead_letter_begins_anew_with_all_its_attempts() {
    let (bundle, (receiver, url)) = (start("0").await, Receiver::start().await);
    receiver.says(500, "no");
    route(&bundle, "botstar.*", &url).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    bundle.accept(&hook, &tagged(1)).await;
    let dead = until_all(&bundle, "/v1/deliveries", "dead", 1).await.remove(0);
    assert_eq!((&dead["reason"], dead["attempts"].as_array().unwrap().len()), (&json!("attempts_used_up"), 2));
    let retried = retry(&bundle, &dead).await;
    assert_eq!((&retried["state"], &retried["reason"], &retried["id"]), (&json!("pending"), &Value::Null, &dead["id"]));
    assert!(retried["next_attempt_at"].is_string() && retried["attempts"] == dead["attempts"], "{retried}");
    let dead = until(&bundle, &dead, "dead", 4).await;
    receiver.says(200, "yes");
    retry(&bundle, &dead).await;
    let done = until(&bundle, &dead, "succeeded", 5).await;
    not_retried(&bundle, &done, "replay").await;
    assert_eq!(receiver.received().len(), 5);
}

#[tokio::test]
async fn a_pending_one_is_attempted_now_and_its_attempts_are_counted_on() {
    let (bundle, (receiver, url)) = (start("86400").await, Receiver::start().await);
    receiver.says(500, "no");
    route(&bundle, "botstar.*", &url).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    bundle.accept(&hook, &tagged(1)).await;
    bundle.accept(&hook, &tagged(2)).await;
    let pending = bundle.until_count("/v1/deliveries?state=pending", 2).await;
    let first = until(&bundle, &pending[0], "pending", 1).await;
    let second = until(&bundle, &pending[1], "pending", 1).await;
    assert_eq!(retry(&bundle, &first).await["state"], "pending");
    let dead = until(&bundle, &first, "dead", 2).await;
    assert_eq!(dead["reason"], "attempts_used_up");
    receiver.says(200, "yes");
    retry(&bundle, &second).await;
    until(&bundle, &second, "succeeded", 2).await;
}

#[tokio::test]
async fn deliveries_that_would_be_skipped_again_are_not_retried() {
    let (bundle, (receiver, url)) = (start("0").await, Receiver::start().await);
    receiver.says(410, "gone");
    let id = route(&bundle, "botstar.*", &url).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    bundle.accept(&hook, &tagged(1)).await;
    let skipped = until_all(&bundle, "/v1/deliveries", "skipped", 1).await.remove(0);
    assert_eq!(skipped["reason"], "target_gone");
    receiver.says(200, "back");
    not_retried(&bundle, &skipped, "disabled").await;
    let all = json!({ "state": "skipped" });
    let left = bundle.post("/v1/deliveries/retry", &all, 200).await;
    assert_eq!(left, json!({ "retried": 0, "left": 1, "next": null }));
    bundle.patch(&format!("/v1/routes/{id}"), &json!({ "enabled": true }), 200).await;
    assert_eq!(bundle.post("/v1/deliveries/retry", &json!({}), 200).await["retried"], 0, "it is not dead");
    let retried = bundle.post("/v1/deliveries/retry", &all, 200).await;
    assert_eq!(retried, json!({ "retried": 1, "left": 0, "next": null }));
    until(&bundle, &skipped, "succeeded", 2).await;

    receiver.says(500, "no");
    bundle.accept(&hook, &tagged(2)).await;
    let dead = bundle.until_count("/v1/deliveries?state=dead", 1).await.remove(0);
    bundle.delete(&format!("/v1/routes/{id}"), 204).await;
    not_retried(&bundle, &dead, "its route was deleted").await;
    assert_eq!(bundle.post("/v1/deliveries/retry", &json!({}), 200).await["left"], 1);
}

#[tokio::test]
async fn all_that_a_filter_takes_is_retried_and_nothing_else() {
    let (bundle, (receiver, url)) = (start("0").await, Receiver::start().await);
    receiver.says(500, "no");
    let routes = [route(&bundle, "botstar.*", &url).await, route(&bundle, "botstar.*", &url).await];
    let hook = bundle.hook("botstar.watch-tag").await;
    let (mut events, mut times) = (Vec::new(), Vec::new());
    for n in 0..4 {
        let event = bundle.accept(&hook, &tagged(n)).await;
        times.push(string(&bundle.get(&format!("/v1/events/{event}"), 200).await["time"]));
        events.push(event);
        bundle.clock.advance(Duration::from_secs(1));
    }
    until_all(&bundle, "/v1/deliveries", "dead", 8).await;
    // Each is dead again after two more attempts.
    let mut tried: Vec<usize> = vec![2; 8];
    for (filter, expected) in [
        (json!({ "route": routes[0] }), 4),
        (json!({ "event": events[2] }), 2),
        (json!({ "event": events[2], "route": routes[1] }), 1),
        (json!({ "after": times[1] }), 4),
        (json!({ "before": times[1] }), 2),
        (json!({ "after": times[0], "before": times[3], "route": routes[0] }), 2),
        (json!({ "event": events[0], "after": times[0] }), 0),
        (json!({ "state": "skipped" }), 0),
        (json!({}), 8),
    ] {
        let retried = bundle.post("/v1/deliveries/retry", &filter, 200).await;
        assert_eq!(retried, json!({ "retried": expected, "left": 0, "next": null }), "{filter}");
        let after = until_all(&bundle, "/v1/deliveries", "dead", 8).await;
        let counts: Vec<usize> = after.iter().map(|one| one["attempts"].as_array().unwrap().len()).collect();
        let grown = counts.iter().zip(&tried).filter(|(now, before)| now > before).count();
        assert_eq!(grown, expected, "{filter}: {counts:?} after {tried:?}");
        tried = counts;
    }
    bundle.patch(&format!("/v1/routes/{}", routes[1]), &json!({ "enabled": false }), 200).await;
    receiver.says(200, "yes");
    let retried = bundle.post("/v1/deliveries/retry", &json!({}), 200).await;
    assert_eq!(retried, json!({ "retried": 4, "left": 4, "next": null }));
    until_all(&bundle, &format!("/v1/deliveries?route={}", routes[0]), "succeeded", 4).await;
    until_all(&bundle, &format!("/v1/deliveries?route={}", routes[1]), "dead", 4).await;
}

#[tokio::test]
async fn a_retry_of_many_goes_on_where_it_ended() {
    const MANY: usize = 520;
    let bundle = start("0").await;
    let route = route(&bundle, "botstar.*", "http://127.0.0.1:9/").await.parse().unwrap();
    let now = bundle.local.app.now();
    let dead = |n: usize| {
        let mut key = [0; 20];
        key[..8].copy_from_slice(&n.to_be_bytes());
        let event = EventId::new(Timestamp::from_millis(now.millis() - 1000), ContentKey::unique(key));
        let when = DeliveryTimes { next_attempt_at: now, due_at: now, expires: now.plus_seconds(60) };
        let of = DeliveryOrigin { event: &event, event_expires: u64::MAX, route: &route, replay: None };
        let mut delivery = StoredDelivery::new(of, now, when);
        delivery.finish(DeliveryState::Dead, Some(Reason::AttemptsUsedUp));
        delivery
    };
    let mut all: Vec<StoredDelivery> = (0..MANY).map(dead).collect();
    bundle.local.app.store.create_deliveries(&mut all, now).await.unwrap();
    let first = bundle.post("/v1/deliveries/retry", &json!({}), 200).await;
    let next = string(&first["next"]);
    assert_eq!((&first["retried"], &first["left"]), (&json!(500), &json!(0)));
    let rest = format!("/v1/deliveries/retry?cursor={next}");
    let other = bundle.request(Method::POST, &rest).json(&json!({ "route": route }));
    assert_eq!(pointers(&refused(other, 422, "invalid_query").await), ["cursor"], "it is of another filter");
    let second = bundle.post(&rest, &json!({}), 200).await;
    assert_eq!(second, json!({ "retried": MANY - 500, "left": 0, "next": null }));
    // They are of no event, and what is skipped for that is past retrying. No list of events leads to it, either.
    let mut skipped = Value::Null;
    for delivery in &all {
        skipped = until(&bundle, &json!({ "id": delivery.id }), "skipped", 0).await;
    }
    not_retried(&bundle, &skipped, "expired").await;
    for (filter, left) in
        [(json!({ "state": "skipped", "event": skipped["event"] }), 1), (json!({ "state": "skipped" }), 0)]
    {
        let retried = bundle.post("/v1/deliveries/retry", &filter, 200).await;
        assert_eq!(retried, json!({ "retried": 0, "left": left, "next": null }), "{filter}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_retried_only_on_request() {
    let bundle = start("0").await;
    let route = route(&bundle, "botstar.*", "http://127.0.0.1:9/").await.parse().unwrap();
    let now = bundle.local.app.now();
    let dead = |(n, reason): (u8, Reason)| {
        let event = EventId::new(now, ContentKey::unique([n; 20]));
        let when = DeliveryTimes { next_attempt_at: now, due_at: now, expires: now.plus_seconds(60) };
        let of = DeliveryOrigin { event: &event, event_expires: u64::MAX, route: &route, replay: None };
        let mut delivery = StoredDelivery::new(of, now, when);
        delivery.finish(DeliveryState::Dead, Some(reason));
        delivery
    };
    let reasons = [(1, Reason::UnknownOutcome), (2, Reason::AttemptsUsedUp), (3, Reason::ActionRefused)];
    bundle.local.app.store.create_deliveries(&mut reasons.map(dead), now).await.unwrap();
    for (filter, retried, left) in [
        (json!({ "reason": "action_refused" }), 1, 0),
        (json!({}), 1, 1),
        (json!({}), 0, 1),
        (json!({ "reason": "unknown_outcome" }), 1, 0),
    ] {
        let answered = bundle.post("/v1/deliveries/retry", &filter, 200).await;
        assert_eq!(answered, json!({ "retried": retried, "left": left, "next": null }), "{filter}");
    }
}

#[tokio::test]
async fn every_fault_of_a_filter_has_its_pointer() {
    let bundle = start("0").await;
    for (body, expected) in [
        (json!({ "state": "pending" }), &["/state"] as &[&str]),
        (json!({ "route": "x", "event": 1, "limit": 1 }), &["/event", "/limit", "/route"]),
        (json!({ "after": "yesterday", "before": "2026-01-01" }), &["/after", "/before"]),
        (json!({ "after": "2026-01-02T00:00:00Z", "before": "2026-01-01T00:00:00Z" }), &["/before"]),
        (json!([]), &[""]),
    ] {
        let request = bundle.request(Method::POST, "/v1/deliveries/retry").json(&body);
        assert_eq!(pointers(&refused(request, 422, "invalid_body").await), expected, "{body}");
    }
    refused(bundle.request(Method::POST, "/v1/deliveries/retry"), 400, "bad_json").await;
    refused(bundle.request(Method::POST, "/v1/deliveries/retry").body("{"), 400, "bad_json").await;
    let cursor = bundle.request(Method::POST, "/v1/deliveries/retry?cursor=x").json(&json!({}));
    assert_eq!(pointers(&refused(cursor, 422, "invalid_query").await), ["cursor"]);
}

#[tokio::test]
async fn a_dry_run_counts_and_retries_nothing() {
    let (bundle, (receiver, url)) = (start("0").await, Receiver::start().await);
    receiver.says(500, "no");
    let to = route(&bundle, "botstar.*", &url).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for n in 0..3 {
        bundle.accept(&hook, &tagged(n)).await;
    }
    let dead = until_all(&bundle, "/v1/deliveries", "dead", 3).await;
    receiver.received();
    let before = dead[0]["event"].as_str().unwrap().parse::<EventId>().unwrap().time();
    for (filter, count) in [
        (json!({}), 3),
        (json!({ "route": to }), 3),
        (json!({ "before": before }), 2),
        (json!({ "reason": "loop" }), 0),
    ] {
        let mut body = filter.clone();
        body["dry_run"] = json!(true);
        let counted = bundle.post("/v1/deliveries/retry", &body, 200).await;
        assert_eq!(counted, json!({ "retried": count, "left": 0, "next": null }), "{filter}");
    }
    assert_eq!(bundle.all("/v1/deliveries").await, dead);
    assert_eq!(receiver.received().len(), 0);
    let retried = bundle.post("/v1/deliveries/retry", &json!({ "before": before, "dry_run": false }), 200).await;
    assert_eq!(retried["retried"], 2);
}
