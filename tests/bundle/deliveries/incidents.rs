//! A route that is failing: each way in which that ends is an event, exactly one, and no late answer undoes it.

use crate::{
    deliveries::circuit_breaker::{advance, fail, health},
    support::{
        delivery_worker::{self, DeliveryWorker, FAILS},
        receiver::{Receiver, Scripted},
    },
};
use axum::http::Method;
use futures::future::join_all;
use models::{
    DeliveryId, DeliveryState,
    own_event::{ROUTE_DISABLED, ROUTE_FAILING, ROUTE_RECOVERED},
};
use serde_json::{Value, json};
use std::time::Duration;
use tests::Bundle;

const GONE: Scripted = (410, &[]);
const NO_MORE: Scripted = (503, &[("webhook-delivery", "disable")]);

/// Changes a route; the answer.
async fn change(worker: &DeliveryWorker<'_>, route: &str, change: Value) -> Value {
    let answer = worker.harness.answer(Method::PATCH, &format!("/v1/routes/{route}"), change.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The reasons of the recoveries so far, the oldest first.
async fn recoveries(worker: &DeliveryWorker<'_>) -> Vec<Value> {
    let events = worker.own_events(ROUTE_RECOVERED).await;
    events.iter().rev().map(|event| event["data"]["reason"].clone()).collect()
}

async fn failing<'b>(bundle: &'b Bundle) -> (DeliveryWorker<'b>, String, Vec<DeliveryId>) {
    let worker = DeliveryWorker::of(bundle).await;
    let route = worker.route(json!({})).await;
    let failed = fail(bundle, &worker, 21).await;
    assert!(health(&worker, &route).await.unwrap().failing);
    (worker, route, failed)
}

#[tokio::test]
async fn a_failing_route_that_is_changed_so_that_its_failures_no_longer_count_has_recovered() {
    let target = |worker: &DeliveryWorker<'_>| json!({ "target": worker.webhook(json!({ "body": { "id": "id" } })) });
    let (off, on) = (json!({ "enabled": false }), json!({ "enabled": true }));
    for (n, reason) in ["changed", "enabled", "enabled", "changed", "changed"].into_iter().enumerate() {
        let bundle = delivery_worker::bundle().await;
        let (worker, route, _) = failing(&bundle).await;
        let steps = match n {
            0 => vec![target(&worker)],
            1 => vec![off.clone(), on.clone()],
            2 => vec![on.clone()],
            3 => vec![off.clone(), target(&worker), on.clone()],
            _ => vec![json!({ "name": "Other", "enabled": true, "target": worker.webhook(json!({})) })],
        };
        let mut changed = Value::Null;
        for step in steps {
            changed = change(&worker, &route, step).await;
        }
        let healthy = json!({ "state": "healthy", "since": worker.harness.app.now(), "disables_at": null });
        assert_eq!(changed["health"], healthy, "{n}");
        advance(&bundle, 1);
        change(&worker, &route, target(&worker)).await;
        let [recovered] = worker.own_events(ROUTE_RECOVERED).await.try_into().unwrap();
        let data = ["route", "since", "reason"].map(|name| recovered["data"][name].clone());
        let route = json!({ "id": route, "name": changed["name"] });
        assert_eq!(data, [route, healthy["since"].clone(), json!(reason)], "once, as it was healthy afterwards");
    }
}

#[tokio::test]
async fn each_incident_of_a_route_has_its_beginning_and_its_end() {
    let bundle = delivery_worker::bundle().await;
    let (worker, route, _) = failing(&bundle).await;
    for incidents in 1..=3 {
        assert_eq!(worker.own_events(ROUTE_FAILING).await.len(), incidents);
        change(&worker, &route, json!({ "enabled": true })).await;
        assert_eq!(recoveries(&worker).await, vec![json!("enabled"); incidents]);
        fail(&bundle, &worker, 21).await;
    }
}

#[tokio::test]
async fn a_change_that_says_nothing_of_the_failures_leaves_a_route_failing() {
    let bundle = delivery_worker::bundle().await;
    let (worker, route, _) = failing(&bundle).await;
    let since = health(&worker, &route).await.unwrap().since;
    for step in [
        json!({ "name": "Other" }),
        json!({ "filter": "data.tag == 'vip'" }),
        json!({ "events": ["botstar.tag.*"] }),
        json!({ "hook": worker.hook.id }),
        json!({ "enabled": false }),
    ] {
        let changed = change(&worker, &route, step.clone()).await;
        assert_eq!((&changed["health"]["state"], &changed["health"]["since"]), (&json!("failing"), &json!(since)));
        assert_eq!(recoveries(&worker).await, [] as [Value; 0], "{step}");
    }
}

#[tokio::test]
async fn a_failing_route_that_is_deleted_has_recovered_and_leaves_nothing() {
    let bundle = delivery_worker::bundle().await;
    let (worker, route, failed) = failing(&bundle).await;
    advance(&bundle, 70);
    worker.target.answers([FAILS]);
    let path = format!("/v1/routes/{route}");
    let deletions = async {
        let answers = join_all((0..3).map(|_| worker.harness.answer(Method::DELETE, &path, ""))).await;
        assert!(answers.iter().all(|answer| [204, 404].contains(&answer.status.as_u16())));
    };
    worker.target.meanwhile(worker.deliver(&failed[0]), deletions).await;
    assert_eq!(recoveries(&worker).await, ["deleted"]);
    assert!(worker.stored_route(&route).await.is_none() && health(&worker, &route).await.is_none());
    assert_eq!(worker.own_events(ROUTE_FAILING).await.len(), 1);
}

#[tokio::test]
async fn of_changes_and_a_success_at_once_one_ends_the_incident() {
    for round in 0..4 {
        let bundle = delivery_worker::bundle().await;
        let (worker, route, failed) = failing(&bundle).await;
        advance(&bundle, 70);
        let path = format!("/v1/routes/{route}");
        let patches = join_all((0..4).map(|n| {
            let body =
                if n % 2 == 0 { json!({ "enabled": true }) } else { json!({ "target": worker.webhook(json!({})) }) };
            worker.harness.answer(Method::PATCH, &path, body.to_string())
        }));
        let (answers, ()) = if round % 2 == 0 {
            tokio::join!(patches, worker.deliver(&failed[0]))
        } else {
            let (deliver, patches) = tokio::join!(worker.deliver(&failed[0]), patches);
            (patches, deliver)
        };
        assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status.as_u16())), "{answers:?}");
        assert!(answers.iter().any(|answer| answer.status == 200));
        assert_eq!(recoveries(&worker).await.len(), 1, "{round}");
        assert!(!health(&worker, &route).await.unwrap().failing);
    }
}

#[tokio::test]
async fn a_late_success_of_the_old_target_is_no_recovery_of_the_new_one() {
    let bundle = delivery_worker::bundle().await;
    let (worker, route, failed) = failing(&bundle).await;
    advance(&bundle, 70);
    let (bad, url) = Receiver::start().await;
    bad.says(500, "no");
    let new = async {
        change(&worker, &route, json!({ "target": { "type": "webhook", "url": url } })).await;
        for _ in 0..21 {
            let delivery = worker.event().await;
            let (delivery, _) = worker.sent().into_iter().find(|(id, _)| id.event() == delivery).unwrap();
            worker.deliver(&delivery).await;
            worker.sent();
            advance(&bundle, 3);
        }
        assert!(health(&worker, &route).await.unwrap().failing);
    };
    worker.target.meanwhile(worker.deliver(&failed[0]), new).await;
    assert_eq!(worker.delivery(&failed[0]).await.state, DeliveryState::Succeeded);
    assert!(health(&worker, &route).await.unwrap().failing);
    assert_eq!(recoveries(&worker).await, ["changed"]);
}

#[tokio::test]
async fn late_failures_of_the_old_target_do_not_make_the_new_one_fail() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let route = worker.route(json!({})).await;
    fail(&bundle, &worker, 19).await;
    advance(&bundle, 10);
    worker.target.answers([FAILS]);
    let last = worker.one_delivery().await;
    let new = async {
        change(&worker, &route, json!({ "target": worker.webhook(json!({})) })).await;
    };
    worker.target.meanwhile(worker.deliver(&last), new).await;
    assert!(health(&worker, &route).await.is_none());
    assert_eq!(worker.own_events(ROUTE_FAILING).await.len(), 0);
}

#[tokio::test]
async fn a_late_answer_of_the_old_target_does_not_disable_the_one_saved_meanwhile() {
    let (other, url) = Receiver::start().await;
    let target = |url: &str| json!({ "type": "webhook", "url": url });
    for answer in [GONE, NO_MORE, (200, &[("webhook-delivery", "disable")])] {
        let bundle = delivery_worker::bundle().await;
        let worker = DeliveryWorker::of(&bundle).await;
        for (change, stays) in [
            (json!({ "target": target(&url) }), true),
            (json!({ "target": worker.webhook(json!({})) }), true),
            (json!({ "enabled": true }), true),
            (json!({ "name": "Other", "target": target(&url) }), true),
            (json!({ "name": "Other" }), false),
            (json!({ "filter": "data.tag == 'vip'" }), false),
            (json!({ "events": ["botstar.tag.*"] }), false),
        ] {
            let route = worker.route(json!({})).await;
            let delivery = worker.one_delivery().await;
            worker.target.answers([answer]);
            let saved = async {
                self::change(&worker, &route, change.clone()).await;
            };
            worker.target.meanwhile(worker.deliver(&delivery), saved).await;
            assert_eq!(worker.stored_route(&route).await.unwrap().enabled, stays, "{answer:?} {change}");
            let disabled = worker.own_events(ROUTE_DISABLED).await;
            let of_route = disabled.iter().filter(|event| event["data"]["route"]["id"] == route);
            assert_eq!(
                of_route.map(|event| event["data"]["reason"].clone()).collect::<Vec<_>>(),
                if stays { vec![] } else { vec![json!("target_gone")] }
            );
            let state = match (answer.0, stays) {
                (200, _) => DeliveryState::Succeeded,
                (_, true) => DeliveryState::Pending,
                (_, false) => DeliveryState::Skipped,
            };
            assert_eq!(worker.delivery(&delivery).await.state, state, "{answer:?} {change}");
            worker.sent();
            worker.harness.answer(Method::DELETE, &format!("/v1/routes/{route}"), "").await;
        }
    }
    assert_eq!(other.received().len(), 0);
}

#[tokio::test]
async fn a_late_answer_from_before_a_route_was_enabled_again_does_not_disable_it() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let route = worker.route(json!({})).await;
    let (first, second) = (worker.one_delivery().await, worker.one_delivery().await);
    worker.target.answers([GONE, GONE]);
    let meanwhile = async {
        worker.deliver(&second).await;
        let disabled = change(&worker, &route, json!({ "name": "Other" })).await;
        assert_eq!((&disabled["enabled"], &disabled["disabled_reason"]), (&json!(false), &json!("target_gone")));
        let enabled = change(&worker, &route, json!({ "enabled": true })).await;
        assert_eq!((&enabled["enabled"], &enabled["disabled_reason"]), (&json!(true), &Value::Null));
    };
    worker.target.meanwhile(worker.deliver(&first), meanwhile).await;
    assert!(worker.stored_route(&route).await.unwrap().enabled);
    bundle.clock.advance(Duration::from_secs(6));
    worker.deliver(&first).await;
    assert_eq!(worker.delivery(&first).await.state, DeliveryState::Succeeded, "the target takes it now");
    assert_eq!(recoveries(&worker).await, [] as [Value; 0], "it was not failing");
}
