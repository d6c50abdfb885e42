//! Routes that deliver nothing: dead deliveries count as failures, and after days of failures a route is disabled.

use crate::{
    deliveries::circuit_breaker::{advance, fail, health},
    support::delivery_worker::{self, DeliveryWorker, FAILS},
};
use app::functions::InvokeOutcome;
use axum::http::Method;
use flow::due;
use models::{
    DeliveryId, DeliveryState,
    delivery::Reason,
    own_event::{DELIVERY_DEAD, ROUTE_DISABLED, ROUTE_FAILING, ROUTE_RECOVERED},
};
use serde_json::{Value, json};
use tests::Bundle;
use web::{Code, Problem};

const DAY: u64 = 86_400;

/// Attempts so many new deliveries, three seconds apart.
async fn attempt(bundle: &Bundle, worker: &DeliveryWorker<'_>, count: usize) -> Vec<DeliveryId> {
    let mut attempted = Vec::new();
    for _ in 0..count {
        let delivery = worker.one_delivery().await;
        worker.deliver(&delivery).await;
        worker.sent();
        advance(bundle, 3);
        attempted.push(delivery);
    }
    attempted
}

async fn call(worker: &DeliveryWorker<'_>, method: Method, path: &str, body: Value, status: u16) -> Value {
    let answer = worker.harness.answer(method, path, body.to_string()).await;
    assert_eq!(answer.status, status, "{}", answer.text);
    answer.json()
}

/// Three ways in which a delivery is dead at its first attempt; the route's id.
async fn hopeless(bundle: &Bundle, worker: &DeliveryWorker<'_>, reason: Reason) -> String {
    let action = |input: Value| async move {
        let connection = bundle.connection("chatbot").await;
        json!({ "target": { "type": "action", "action": "chatbot.create-user", "connection": connection, "input": input } })
    };
    let target = match reason {
        Reason::Unmappable => json!({ "target": worker.webhook(json!({ "body": { "text": "data.nobody.name" } })) }),
        _ => action(json!({ "name": "data.subscriber.name" })).await,
    };
    for _ in 0..40 {
        match reason {
            Reason::ActionRefused => {
                worker.actions.comes_to(InvokeOutcome::Failed(Problem::new(Code::PlatformRejected, "no such user")));
            }
            Reason::UnknownOutcome => worker.actions.comes_to(InvokeOutcome::Unknown("lost".to_owned())),
            _ => {}
        }
    }
    worker.route(target).await
}

#[tokio::test]
async fn a_route_whose_deliveries_are_all_dead_is_failing() {
    for reason in [Reason::Unmappable, Reason::ActionRefused, Reason::UnknownOutcome] {
        let bundle = delivery_worker::bundle().await;
        let worker = DeliveryWorker::of(&bundle).await;
        let route = hopeless(&bundle, &worker, reason).await;
        for delivery in attempt(&bundle, &worker, 31).await.iter().take(21) {
            worker.assert_ended(delivery, DeliveryState::Dead, Some(reason), 1).await;
        }
        let open = health(&worker, &route).await.unwrap();
        assert!(open.failing && open.by_content == (reason != Reason::UnknownOutcome), "{open:?}");
        assert_eq!(worker.own_events(ROUTE_FAILING).await.len(), 1, "{reason:?}");
        assert_eq!(worker.own_events(DELIVERY_DEAD).await.len(), 21, "the others wait, and one is tried a minute");
        assert_eq!(worker.target.received().len(), 0);
    }
}

#[tokio::test]
async fn an_attempt_that_sent_nothing_says_so_and_why() {
    for expression in ["data.nobody.name", "int(data.tag)", "1 / 0", "data.subscriber.email + 'x'"] {
        let bundle = delivery_worker::bundle().await;
        let worker = DeliveryWorker::of(&bundle).await;
        worker.route(json!({ "target": worker.webhook(json!({ "body": { "text": expression } })) })).await;
        let delivery = worker.one_delivery().await;
        worker.deliver(&delivery).await;
        let attempt = worker.delivery(&delivery).await.attempts.remove(0);
        let error = attempt.error.unwrap();
        assert!(error.starts_with("nothing was sent: `text`: ") && error.len() > 30, "{error}");
        assert_eq!((attempt.status, attempt.duration_ms, attempt.body), (None, 0, None));
    }
}

#[tokio::test]
async fn a_mended_mapping_takes_what_waits() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let route = hopeless(&bundle, &worker, Reason::Unmappable).await;
    let waiting = attempt(&bundle, &worker, 31).await.split_off(21);
    let mended = json!({ "target": worker.webhook(json!({ "body": { "text": "data.tag" } })) });
    let changed = call(&worker, Method::PATCH, &format!("/v1/routes/{route}"), mended, 200).await;
    assert_eq!(changed["health"]["state"], "healthy");
    advance(&bundle, 900);
    for delivery in &waiting {
        worker.deliver(delivery).await;
        worker.assert_ended(delivery, DeliveryState::Succeeded, None, 1).await;
    }
}

#[tokio::test]
async fn a_route_that_fails_for_its_events_recovers_if_it_selects_others() {
    for change in [
        json!({ "filter": "has(data.nobody)" }),
        json!({ "events": ["botstar.checkpoint_record.*"] }),
        json!({ "hook": "the hook" }),
        json!({ "connection": "the connection" }),
    ] {
        let bundle = delivery_worker::bundle().await;
        let worker = DeliveryWorker::of(&bundle).await;
        let route = hopeless(&bundle, &worker, Reason::Unmappable).await;
        attempt(&bundle, &worker, 22).await;
        let path = format!("/v1/routes/{route}");
        let renamed = call(&worker, Method::PATCH, &path, json!({ "name": "Other", "filter": null }), 200).await;
        assert_eq!(renamed["health"]["state"], "failing", "it selects the same as before");
        let mut change = change;
        for (field, id) in [("hook", &worker.hook.id), ("connection", &worker.hook.connection)] {
            if let Some(value) = change.get_mut(field) {
                *value = json!(id);
            }
        }
        let changed = call(&worker, Method::PATCH, &path, change.clone(), 200).await;
        assert_eq!(changed["health"]["state"], "healthy", "{change}");
        assert_eq!(worker.own_events(ROUTE_RECOVERED).await.len(), 1);
    }
}

/// A route that has failed since some seconds ago; its waiting deliveries.
async fn down<'b>(bundle: &'b Bundle) -> (DeliveryWorker<'b>, String, Vec<DeliveryId>) {
    let worker = DeliveryWorker::of(bundle).await;
    let route = worker.route(json!({})).await;
    let failed = fail(bundle, &worker, 21).await;
    (worker, route, failed)
}

/// A probe fails.
async fn probe(bundle: &Bundle, worker: &DeliveryWorker<'_>, delivery: &DeliveryId) {
    advance(bundle, 1_400);
    worker.target.answers([FAILS]);
    worker.deliver(delivery).await;
    worker.sent();
}

#[tokio::test]
async fn a_route_that_has_only_failed_for_its_days_is_disabled_and_what_waits_is_dead() {
    let bundle = delivery_worker::bundle().await;
    let (worker, route, failed) = down(&bundle).await;
    let path = format!("/v1/routes/{route}");
    let since = health(&worker, &route).await.unwrap().since;
    let shown = call(&worker, Method::GET, &path, Value::Null, 200).await;
    assert_eq!(shown["health"]["disables_at"], json!(since.plus_seconds(5 * DAY)));
    advance(&bundle, 5 * DAY - 3_000);
    probe(&bundle, &worker, &failed[0]).await;
    assert!(worker.stored_route(&route).await.unwrap().enabled, "not yet");
    advance(&bundle, 3_000);
    let new = worker.one_delivery().await;
    probe(&bundle, &worker, &failed[1]).await;

    let shown = call(&worker, Method::GET, &path, Value::Null, 200).await;
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("failing")));
    assert_eq!(shown["health"], json!({ "state": "failing", "since": since, "disables_at": null }));
    let [disabled] = worker.own_events(ROUTE_DISABLED).await.try_into().unwrap();
    let data = ["reason", "failing_since", "since"].map(|name| disabled["data"][name].clone());
    assert_eq!(data, [json!("failing"), json!(since), shown["updated_at"].clone()]);

    // Each waiting delivery ends at its next check, attempted before or not, and the target is not called.
    worker.target.received();
    advance(&bundle, 1_400);
    for delivery in [&failed[0], &failed[1], &failed[2], &new] {
        worker.deliver(delivery).await;
        let tried = worker.delivery(delivery).await.attempts.len();
        worker.assert_ended(delivery, DeliveryState::Dead, Some(Reason::RouteDisabled), tried).await;
    }
    assert_eq!((worker.target.received().len(), worker.own_events(DELIVERY_DEAD).await.len()), (0, 4));
    for _ in 0..4 {
        due::sweep(&worker.harness.app).await.unwrap();
        for (delivery, _) in worker.sent() {
            worker.deliver(&delivery).await;
        }
        advance(&bundle, 4_000);
    }
    assert_eq!(
        (due::sweep(&worker.harness.app).await.unwrap(), worker.sent()),
        (0, vec![]),
        "nothing is looked at again"
    );
    worker.event().await;
    assert_eq!(worker.sent(), []);

    let retry = format!("/v1/deliveries/{}/retry", failed[0]);
    call(&worker, Method::POST, &retry, json!({}), 409).await;
    let by_reason = json!({ "route": route, "reason": "route_disabled" });
    let left = call(&worker, Method::POST, "/v1/deliveries/retry", by_reason.clone(), 200).await;
    assert_eq!((&left["retried"], &left["left"]), (&json!(0), &json!(22)));

    let enabled = call(&worker, Method::PATCH, &path, json!({ "enabled": true }), 200).await;
    assert_eq!((&enabled["health"]["state"], &enabled["disabled_reason"]), (&json!("healthy"), &Value::Null));
    assert_eq!(worker.own_events(ROUTE_RECOVERED).await.len(), 1);
    call(&worker, Method::POST, &retry, json!({}), 200).await;
    let rest = call(&worker, Method::POST, "/v1/deliveries/retry", by_reason, 200).await;
    assert_eq!((&rest["retried"], &rest["left"]), (&json!(21), &json!(0)));
    let queued = worker.sent();
    assert_eq!(queued.len(), 22);
    for (delivery, _) in queued {
        worker.deliver(&delivery).await;
        assert_eq!(worker.delivery(&delivery).await.state, DeliveryState::Succeeded);
    }
}

#[tokio::test]
async fn a_success_a_new_target_or_an_enabling_begins_the_days_anew() {
    for change in [None, Some(json!({ "enabled": true })), Some(json!({ "target": "the same" }))] {
        let bundle = delivery_worker::bundle().await;
        let (worker, route, failed) = down(&bundle).await;
        advance(&bundle, 4 * DAY);
        match change {
            Some(mut change) => {
                if change["target"].is_string() {
                    change["target"] = worker.webhook(json!({}));
                }
                call(&worker, Method::PATCH, &format!("/v1/routes/{route}"), change, 200).await;
            }
            None => worker.deliver(&failed[0]).await,
        }
        advance(&bundle, 2 * DAY);
        let again = fail(&bundle, &worker, 21).await;
        probe(&bundle, &worker, &again[0]).await;
        let stored = worker.stored_route(&route).await.unwrap();
        assert!(stored.enabled && health(&worker, &route).await.unwrap().failing);
        advance(&bundle, 5 * DAY);
        probe(&bundle, &worker, &again[1]).await;
        assert!(!worker.stored_route(&route).await.unwrap().enabled);
    }
}

#[tokio::test]
async fn the_days_are_a_setting_and_a_probe_that_succeeds_at_their_end_counts() {
    for (days, after, disabled) in [("0", 400, false), ("1", 1, true), ("30", 29, false), ("30", 30, true)] {
        let settings = [("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"), ("RETRY_SCHEDULE", "5,60,1200")];
        let settings = [&settings[..], &[("ROUTE_FAILS_DAYS", days), ("EVENT_TTL_DAYS", "3650")]].concat();
        let bundle = Bundle::start_with(&settings).await;
        bundle.clock.hold();
        let (worker, route, failed) = down(&bundle).await;
        advance(&bundle, after * DAY);
        worker.target.answers([FAILS]);
        worker.deliver(&failed[0]).await;
        assert_eq!(!worker.stored_route(&route).await.unwrap().enabled, disabled, "{days} {after}");
    }
    let bundle = delivery_worker::bundle().await;
    let (worker, route, failed) = down(&bundle).await;
    advance(&bundle, 6 * DAY);
    worker.deliver(&failed[0]).await;
    assert!(worker.stored_route(&route).await.unwrap().enabled && !health(&worker, &route).await.unwrap().failing);
}

#[tokio::test]
async fn deliveries_of_a_route_that_a_person_disabled_are_skipped() {
    let bundle = delivery_worker::bundle().await;
    let (worker, route, failed) = down(&bundle).await;
    let path = format!("/v1/routes/{route}");
    let disabled = call(&worker, Method::PATCH, &path, json!({ "enabled": false }), 200).await;
    assert_eq!((&disabled["disabled_reason"], &disabled["health"]["disables_at"]), (&Value::Null, &Value::Null));
    worker.deliver(&failed[0]).await;
    worker.assert_ended(&failed[0], DeliveryState::Skipped, Some(Reason::RouteDisabled), 1).await;
    assert_eq!(worker.own_events(DELIVERY_DEAD).await.len(), 0);
}

#[tokio::test]
async fn a_burst_of_dead_deliveries_makes_a_route_failing_a_minute_later() {
    for (reason, count) in [(Reason::Unmappable, 31), (Reason::ActionRefused, 20), (Reason::Unmappable, 19)] {
        let bundle = delivery_worker::bundle().await;
        let worker = DeliveryWorker::of(&bundle).await;
        let route = hopeless(&bundle, &worker, reason).await;
        let mut checks = Vec::new();
        for _ in 0..count {
            let delivery = worker.one_delivery().await;
            worker.deliver(&delivery).await;
            checks.extend(worker.sent());
        }
        assert!(health(&worker, &route).await.is_none(), "not for a minute yet");
        if count < 20 {
            assert_eq!(checks, []);
            continue;
        }
        let [(delivery, wait)] = checks.try_into().unwrap();
        assert_eq!(wait, 60);
        advance(&bundle, 59);
        worker.deliver(&delivery).await;
        assert!(health(&worker, &route).await.is_none());
        advance(&bundle, 1);
        worker.deliver(&delivery).await;
        assert!(health(&worker, &route).await.unwrap().failing, "{reason:?}");
        worker.deliver(&delivery).await;
        assert_eq!(worker.own_events(ROUTE_FAILING).await.len(), 1);
    }
}

#[tokio::test]
async fn a_success_after_a_burst_of_dead_deliveries_keeps_a_route_healthy() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let body = json!({ "text": "data.raw.number < 20 ? data.nobody.name : data.tag" });
    let route = worker.route(json!({ "target": worker.webhook(json!({ "body": body })) })).await;
    let mut burst = Vec::new();
    for _ in 0..20 {
        burst.push(worker.one_delivery().await);
        worker.deliver(&burst[burst.len() - 1]).await;
    }
    assert_eq!(worker.one_sent(), (burst[19].clone(), 60));
    let last = worker.one_delivery().await;
    worker.deliver(&last).await;
    worker.assert_ended(&last, DeliveryState::Succeeded, None, 1).await;
    advance(&bundle, 61);
    worker.deliver(&burst[19]).await;
    assert!(health(&worker, &route).await.is_none());
}
