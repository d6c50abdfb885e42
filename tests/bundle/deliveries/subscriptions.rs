//! Deliveries to the endpoints of MCP clients.

use crate::support::{
    agent::Agent,
    delivery_worker::{self, DeliveryWorker},
    endpoint::{Endpoint, REPEATS},
};
use models::{
    DeliveryId, DeliveryState,
    delivery::Reason,
    own_event::{DELIVERY_DEAD, ROUTE_DISABLED, ROUTE_FAILING},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Bundle, string};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Subscribes an endpoint to tags for as long as possible; the subscription's id, and the id of its key.
async fn subscribe(bundle: &Bundle, endpoint: &Endpoint, ttl_ms: Value) -> (String, String) {
    let new = json!({ "name": "Agent", "scope": "read", "subscribe": ["botstar.*"] });
    let key = bundle.post("/v1/keys", &new, 201).await;
    let delivery = json!({ "mode": "webhook", "url": endpoint.url, "secret": SECRET });
    let asked = json!({ "name": "botstar.tag.added", "ttlMs": ttl_ms, "delivery": delivery });
    let granted = Agent::with_key(bundle, key["key"].as_str().unwrap()).result("events/subscribe", asked).await;
    (string(&granted["id"]), string(&key["id"]))
}

async fn own_events(worker: &DeliveryWorker<'_>) -> usize {
    let mut count = 0;
    for event_type in [DELIVERY_DEAD, ROUTE_DISABLED, ROUTE_FAILING] {
        count += worker.own_events(event_type).await.len();
    }
    count
}

#[tokio::test]
async fn a_refusal_of_an_event_ends_its_delivery_alone() {
    let bundle = delivery_worker::bundle().await;
    let (worker, endpoint) = (DeliveryWorker::of(&bundle).await, Endpoint::start(REPEATS).await);
    let (id, _) = subscribe(&bundle, &endpoint, Value::Null).await;
    for (status, state, reason) in [
        (410, DeliveryState::Skipped, Some(Reason::TargetGone)),
        (413, DeliveryState::Dead, Some(Reason::TooLarge)),
        (204, DeliveryState::Succeeded, None),
    ] {
        endpoint.answers_events(status);
        let delivery = worker.one_delivery().await;
        worker.deliver(&delivery).await;
        worker.assert_ended(&delivery, state, reason, 1).await;
        let attempt = &worker.delivery(&delivery).await.attempts[0];
        assert_eq!((attempt.status, &attempt.body), (Some(status), &None), "an answer is not kept");
    }
    assert!(worker.stored_route(&id).await.is_some_and(|route| route.enabled));
    assert_eq!(own_events(&worker).await, 0);
}

#[tokio::test]
async fn a_failing_endpoint_is_tried_five_times_within_a_quarter_of_an_hour() {
    let bundle = delivery_worker::bundle().await;
    let (worker, endpoint) = (DeliveryWorker::of(&bundle).await, Endpoint::start(REPEATS).await);
    subscribe(&bundle, &endpoint, Value::Null).await;
    endpoint.answers_events(503);
    let delivery = worker.one_delivery().await;
    let mut waited = 0;
    for least in [10, 50, 180, 540] {
        worker.deliver(&delivery).await;
        let (_, wait) = worker.one_sent();
        assert!((least..=least + least / 10).contains(&wait), "{wait}");
        bundle.clock.advance(Duration::from_secs(wait + 1));
        waited += wait + 1;
    }
    worker.deliver(&delivery).await;
    worker.assert_ended(&delivery, DeliveryState::Dead, Some(Reason::AttemptsUsedUp), 5).await;
    assert!(waited <= 900, "{waited}");
    let calls = endpoint.events();
    assert!(calls.iter().all(|call| call.is_signed(SECRET) && call.id() == delivery.event().as_str()));
    assert_eq!((calls.len(), own_events(&worker).await), (5, 0));
}

#[tokio::test]
async fn nothing_is_sent_after_the_end_of_a_subscription_or_of_its_key() {
    let bundle = delivery_worker::bundle().await;
    let (worker, endpoint) = (DeliveryWorker::of(&bundle).await, Endpoint::start(REPEATS).await);
    subscribe(&bundle, &endpoint, json!(60_000)).await;
    let late = worker.one_delivery().await;
    bundle.clock.advance(Duration::from_secs(61));
    worker.deliver(&late).await;
    worker.assert_ended(&late, DeliveryState::Skipped, Some(Reason::RouteDeleted), 0).await;

    let (route, key) = subscribe(&bundle, &endpoint, Value::Null).await;
    let stored = worker.stored_route(&route).await.unwrap();
    let without_key = worker.one_delivery().await;
    bundle.delete(&format!("/v1/keys/{key}"), 204).await;
    // As after a deletion that was cut short.
    worker.harness.app.store.create(&stored).await.unwrap();
    worker.deliver(&without_key).await;
    worker.assert_ended(&without_key, DeliveryState::Skipped, Some(Reason::RouteDeleted), 0).await;
    assert_eq!(endpoint.events().len(), 0);
}

#[tokio::test]
async fn an_endpoint_that_is_always_down_is_spared_and_reported_by_no_event() {
    let bundle = delivery_worker::bundle().await;
    let (worker, endpoint) = (DeliveryWorker::of(&bundle).await, Endpoint::start(REPEATS).await);
    let (id, _) = subscribe(&bundle, &endpoint, Value::Null).await;
    endpoint.answers_events(500);
    let mut deliveries: Vec<DeliveryId> = Vec::new();
    for _ in 0..25 {
        bundle.clock.advance(Duration::from_secs(5));
        let delivery = worker.one_delivery().await;
        worker.deliver(&delivery).await;
        worker.sent();
        deliveries.push(delivery);
    }
    let route = bundle.get(&format!("/v1/routes/{id}"), 200).await;
    assert_eq!((&route["health"]["state"], &route["health"]["disables_at"]), (&json!("failing"), &Value::Null));
    assert!(endpoint.events().len() < 25, "deliveries wait while it fails");
    endpoint.answers_events(204);
    bundle.clock.advance(Duration::from_secs(1_200));
    for delivery in &deliveries {
        worker.deliver(delivery).await;
    }
    let route = bundle.get(&format!("/v1/routes/{id}"), 200).await;
    assert_eq!((&route["health"]["state"], own_events(&worker).await), (&json!("healthy"), 0));
}

#[tokio::test]
async fn a_replay_reaches_a_subscription_only_by_name() {
    let bundle = delivery_worker::bundle().await;
    let (worker, endpoint) = (DeliveryWorker::of(&bundle).await, Endpoint::start(REPEATS).await);
    let (id, _) = subscribe(&bundle, &endpoint, Value::Null).await;
    let event = worker.event().await;
    let path = format!("/v1/events/{event}/replay");
    for (body, deliveries) in [(json!({}), 0), (json!({ "route": id }), 1)] {
        let replayed = worker.harness.answer(Method::POST, &path, body.to_string()).await.json();
        assert_eq!(replayed["deliveries"].as_array().unwrap().len(), deliveries, "{body}");
    }
    let span = json!({ "after": "2020-01-01T00:00:00Z", "before": "2099-01-01T00:00:00Z" });
    let replayed = worker.harness.answer(Method::POST, "/v1/events/replay", span.to_string()).await.json();
    assert_eq!(replayed["deliveries"], 0, "{replayed}");
}

#[tokio::test]
async fn an_erased_person_is_in_no_delivery() {
    let bundle = delivery_worker::bundle().await;
    let (worker, endpoint) = (DeliveryWorker::of(&bundle).await, Endpoint::start(REPEATS).await);
    subscribe(&bundle, &endpoint, Value::Null).await;
    let delivery = worker.one_delivery().await;
    let person = string(&worker.harness.all("/v1/subscribers").await[0]["id"]);
    let erased = worker.harness.answer(Method::DELETE, &format!("/v1/subscribers/{person}"), "").await;
    assert!(erased.status.is_success(), "{}", erased.text);
    worker.deliver(&delivery).await;
    assert_eq!(worker.delivery(&delivery).await.reason, Some(Reason::PersonErased));
    assert_eq!(endpoint.events().len(), 0);
}
