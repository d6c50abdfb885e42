//! The breaker of a route: what opens it, what waits meanwhile, and what closes it.

use crate::support::delivery_worker::{self, DeliveryWorker, FAILS};
use models::{
    DeliveryId, DeliveryState,
    own_event::{ROUTE_FAILING, ROUTE_RECOVERED},
};
use serde_json::json;
use std::time::Duration;
use store::health::RouteHealth;
use tests::Bundle;

pub async fn health(worker: &DeliveryWorker<'_>, route: &str) -> Option<RouteHealth> {
    worker.harness.app.store.find(route).await.unwrap()
}

pub fn advance(bundle: &Bundle, seconds: u64) {
    bundle.clock.advance(Duration::from_secs(seconds));
}

/// Fails so many first attempts of new deliveries, three seconds apart.
pub async fn fail(bundle: &Bundle, worker: &DeliveryWorker<'_>, count: usize) -> Vec<DeliveryId> {
    worker.target.answers(vec![FAILS; count]);
    let mut failed = Vec::new();
    for _ in 0..count {
        let delivery = worker.one_delivery().await;
        worker.deliver(&delivery).await;
        worker.sent();
        advance(bundle, 3);
        failed.push(delivery);
    }
    failed
}

#[tokio::test]
async fn a_route_that_takes_nothing_is_left_alone_but_for_a_probe() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let route = worker.route(json!({})).await;
    let failed = fail(&bundle, &worker, 20).await;
    assert!(health(&worker, &route).await.is_none(), "not for a minute yet");
    let last = fail(&bundle, &worker, 1).await.remove(0);
    let open = health(&worker, &route).await.unwrap();
    assert!(open.failing && open.version == 1, "{open:?}");
    assert_eq!(worker.target.received().len(), 21);

    // While it is open, nothing is tried, no attempt is used up, and nothing ages.
    let waiting = worker.one_delivery().await;
    worker.deliver(&waiting).await;
    let (_, wait) = worker.one_sent();
    assert!((57..=70).contains(&wait), "as long again as it has been failing: {wait}");
    worker.deliver(&last).await;
    worker.sent();
    let kept = (worker.delivery(&waiting).await, worker.delivery(&last).await);
    assert_eq!((kept.0.attempts_made, kept.1.attempts_made, worker.target.received().len()), (0, 1, 0));

    // One of all that are due tries it, at each interval.
    advance(&bundle, 70);
    worker.target.answers([FAILS]);
    for delivery in failed.iter().chain([&waiting, &last]) {
        worker.deliver(delivery).await;
    }
    assert_eq!(worker.target.received().len(), 1);
    assert!(worker.sent().iter().all(|(_, wait)| (60..=900).contains(wait)));

    advance(&bundle, 900);
    worker.deliver(&failed[3]).await;
    worker.assert_ended(&failed[3], DeliveryState::Succeeded, None, 2).await;
    let closed = health(&worker, &route).await.unwrap();
    assert!(!closed.failing && closed.since > open.since, "{closed:?}");
    for delivery in failed.iter().chain([&waiting, &last]) {
        worker.deliver(delivery).await;
        assert_eq!(worker.delivery(delivery).await.state, DeliveryState::Succeeded);
    }
    let [failing] = worker.own_events(ROUTE_FAILING).await.try_into().unwrap();
    let [recovered] = worker.own_events(ROUTE_RECOVERED).await.try_into().unwrap();
    for (event, since) in [(&failing, open.since), (&recovered, closed.since)] {
        assert_eq!(event["data"]["route"]["id"], json!(route));
        assert_eq!(event["data"]["since"], json!(since));
    }
}

#[tokio::test]
async fn a_success_in_between_keeps_it_closed_and_a_route_never_receives_its_own_events() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let route = worker.route(json!({ "events": ["*"] })).await;
    fail(&bundle, &worker, 19).await;
    let delivery = worker.one_delivery().await;
    worker.deliver(&delivery).await;
    fail(&bundle, &worker, 19).await;
    assert!(health(&worker, &route).await.is_none());
    advance(&bundle, 10);
    fail(&bundle, &worker, 1).await;
    assert!(health(&worker, &route).await.unwrap().failing);
    assert_eq!(worker.own_events(ROUTE_FAILING).await.len(), 1);
    worker.dispatch().await;
    assert_eq!(worker.sent(), [], "an event about a route never goes to that route");
    let other = worker.route(json!({ "events": ["switchboard.route.*"] })).await;
    let records = worker.harness.so_far().await;
    worker.harness.handle(&records[records.len() - 1..]).await;
    let (notice, _) = worker.one_sent();
    worker.deliver(&notice).await;
    assert_eq!(worker.delivery(&notice).await.route.as_str(), other);
    worker.assert_ended(&notice, DeliveryState::Succeeded, None, 1).await;
}

#[tokio::test]
async fn processes_that_probe_at_once_probe_once() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let failed = fail(&bundle, &worker, 22).await;
    worker.target.received();
    advance(&bundle, 70);
    worker.target.answers(vec![FAILS; 22]);
    futures::future::join_all(failed.iter().map(|delivery| worker.deliver(delivery))).await;
    assert_eq!(worker.target.received().len(), 1);
}
