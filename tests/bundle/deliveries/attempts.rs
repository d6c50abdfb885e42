//! Life of a delivery: attempts, waits and final states; crashes and repeats between any two steps.

use crate::support::{
    delivery_worker::{self, DeliveryWorker, FAILS},
    harness::Fault,
    receiver::Scripted,
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use flow::due;
use futures::future::join_all;
use models::{
    DeliveryId, DeliveryState,
    delivery::Reason,
    own_event::{DELIVERY_DEAD, ROUTE_DISABLED, ROUTE_FAILING},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, slice, time::Duration};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn an_event_is_delivered_once_to_each_route_that_it_is_for() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let plain = worker.route(json!({})).await;
    let filtered = worker.route(json!({ "events": ["*"], "filter": "data.tag == 'vip'" })).await;
    let of_hook = worker.route(json!({ "events": ["*"], "hook": worker.hook.id })).await;
    for other in [
        json!({ "filter": "data.tag == 'gold'" }),
        json!({ "filter": "data.nothing == 1" }),
        json!({ "events": ["chatbot.*"] }),
        json!({ "enabled": false }),
        json!({ "connection": bundle.connection("botstar").await }),
        json!({ "hook": bundle.hook("botstar.watch-tag").await.id }),
    ] {
        worker.route(other).await;
    }
    let event = worker.event().await;
    let sent = worker.sent();
    assert!(sent.iter().all(|(_, wait)| *wait == 0));
    for (id, _) in &sent {
        worker.deliver(id).await;
        worker.assert_ended(id, DeliveryState::Succeeded, None, 1).await;
        let attempt = &worker.delivery(id).await.attempts[0];
        assert_eq!((attempt.status, &attempt.error, attempt.body.as_deref()), (Some(202), &None, Some("taken")));
        worker.deliver(id).await;
    }
    let deliveries = worker.deliveries_of(&event).await;
    let ids: BTreeSet<&DeliveryId> = deliveries.iter().map(|delivery| &delivery.id).collect();
    assert_eq!(sent.iter().map(|(id, _)| id).collect::<BTreeSet<_>>(), ids);
    let routes: BTreeSet<&str> = deliveries.iter().map(|delivery| delivery.route.as_str()).collect();
    assert_eq!(routes, BTreeSet::from([plain.as_str(), &filtered, &of_hook]));
    let received = worker.target.received();
    assert_eq!(received.len(), 3, "a repeated message calls nobody");
    for (headers, body) in received {
        assert_eq!(headers["webhook-id"], event.as_str());
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["id"], event.as_str());
    }
}

#[tokio::test]
async fn a_failing_delivery_waits_as_the_schedule_says_and_then_is_dead() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let route = worker.route(json!({})).await;
    worker.route(json!({ "events": ["switchboard.*"] })).await;
    worker.target.answers([(500, &[]), (302, &[("location", "/")]), (404, &[]), (503, &[])] as [Scripted; 4]);
    let delivery = worker.one_delivery().await;

    worker.deliver(&delivery).await;
    let (again, wait) = worker.one_sent();
    assert!(again == delivery && wait == 5, "{wait}");
    let planned = worker.delivery(&delivery).await.next_attempt_at.unwrap();
    worker.deliver_planned(&delivery, planned).await;
    assert_eq!(worker.one_sent(), (delivery.clone(), wait), "an early message is kept back, and nothing is tried");
    worker.deliver(&delivery).await;
    assert_eq!(worker.one_sent(), (delivery.clone(), wait), "so is one that may have been handled in part");
    worker.deliver_planned(&delivery, worker.harness.app.now()).await;
    assert_eq!(worker.sent(), [], "one for the attempt before has been overtaken");
    bundle.clock.advance(seconds(6));
    worker.deliver(&delivery).await;
    let (_, wait) = worker.one_sent();
    assert!((60..=66).contains(&wait), "{wait}");

    // Longer than a queue keeps a message back: it is found in the table.
    bundle.clock.advance(seconds(66));
    worker.deliver(&delivery).await;
    assert_eq!(worker.sent(), []);
    let waiting = worker.delivery(&delivery).await;
    let wait = waiting.next_attempt_at.unwrap().millis_since(worker.harness.app.now()) / 1000;
    assert!((1200..=1320).contains(&wait), "{wait}");
    assert_eq!((waiting.attempts_made, waiting.state), (3, DeliveryState::Pending));
    worker.deliver(&delivery).await;
    assert_eq!((worker.sent(), due::sweep(&worker.harness.app).await.unwrap()), (vec![], 0));
    bundle.clock.advance(seconds(wait - 30));
    assert_eq!(due::sweep(&worker.harness.app).await.unwrap(), 1, "a minute ahead");
    let (_, ahead) = worker.one_sent();
    assert!((29..=31).contains(&ahead), "{ahead}");
    assert_eq!(due::sweep(&worker.harness.app).await.unwrap(), 0, "once");

    bundle.clock.advance(seconds(ahead + 1));
    worker.deliver(&delivery).await;
    worker.assert_ended(&delivery, DeliveryState::Dead, Some(Reason::AttemptsUsedUp), 4).await;
    let attempts = worker.delivery(&delivery).await.attempts;
    assert_eq!(attempts.iter().filter_map(|attempt| attempt.status).collect::<Vec<_>>(), [500, 302, 404, 503]);
    assert_eq!(attempts[0].body.as_deref(), Some("taken"));
    assert_eq!(attempts[1].error.as_deref(), Some("the target answered a redirect, which is not followed"));

    worker.deliver(&delivery).await;
    let [dead] = worker.own_events(DELIVERY_DEAD).await.try_into().unwrap();
    assert_eq!((&dead["source"], &dead["data"]["hook"]), (&json!(format!("/routes/{route}")), &Value::Null));
    assert_eq!(dead["data"]["route"], json!({ "id": route, "name": "Tags" }));
    let reported = json!({ "id": delivery, "event": attempts_event(&worker, &delivery).await, "reason": "attempts_used_up",
        "attempts": 4, "status": 503 });
    assert_eq!(dead["data"]["delivery"], reported);

    // It is routed like any event; and what is dead of that makes no event again.
    worker.target.received();
    worker.dispatch().await;
    let notice = worker.one_sent().0;
    worker.target.answers([FAILS; 4]);
    for _ in 0..4 {
        worker.deliver(&notice).await;
        worker.sent();
        bundle.clock.advance(seconds(1400));
    }
    worker.assert_ended(&notice, DeliveryState::Dead, Some(Reason::AttemptsUsedUp), 4).await;
    assert_eq!(worker.own_events(DELIVERY_DEAD).await.len(), 1);
}

async fn attempts_event(worker: &DeliveryWorker<'_>, delivery: &DeliveryId) -> String {
    worker.delivery(delivery).await.event.into()
}

#[tokio::test]
async fn a_target_that_asks_for_time_is_given_it() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    worker.target.answers([(429, &[("retry-after", "600")]), (503, &[("retry-after", "1")])] as [Scripted; 2]);
    let delivery = worker.one_delivery().await;
    worker.deliver(&delivery).await;
    let wait = worker.one_sent().1;
    assert!((600..=660).contains(&wait), "{wait}");
    bundle.clock.advance(seconds(661));
    worker.deliver(&delivery).await;
    let wait = worker.one_sent().1;
    assert!((60..=66).contains(&wait), "no sooner than the schedule: {wait}");
}

#[tokio::test]
async fn a_target_that_wants_no_more_disables_its_route() {
    let answers: [(Scripted, _, _); 3] = [
        ((410, &[]), DeliveryState::Skipped, Some(Reason::TargetGone)),
        ((200, &[("webhook-delivery", "disable")]), DeliveryState::Succeeded, None),
        ((500, &[("webhook-delivery", "disable")]), DeliveryState::Skipped, Some(Reason::TargetGone)),
    ];
    for (answer, state, reason) in answers {
        let bundle = delivery_worker::bundle().await;
        let worker = DeliveryWorker::of(&bundle).await;
        let route = worker.route(json!({})).await;
        let (first, second) = (worker.one_delivery().await, worker.one_delivery().await);
        worker.target.answers([answer]);
        worker.deliver(&first).await;
        worker.assert_ended(&first, state, reason, 1).await;
        assert!(!worker.stored_route(&route).await.unwrap().enabled);
        let [disabled] = worker.own_events(ROUTE_DISABLED).await.try_into().unwrap();
        assert_eq!(disabled["data"]["route"]["id"], json!(route), "nobody has to find out by the silence");
        worker.deliver(&second).await;
        worker.assert_ended(&second, DeliveryState::Skipped, Some(Reason::RouteDisabled), 0).await;
        worker.event().await;
        assert_eq!((worker.sent(), worker.target.received().len()), (vec![], 1));
    }
}

#[tokio::test]
async fn a_deleted_route_or_event_is_not_delivered() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let route = worker.route(json!({})).await;
    let [erased, expired, deleted] =
        [worker.one_delivery().await, worker.one_delivery().await, worker.one_delivery().await];
    let store = &worker.harness.app.store;
    let event = store.event(&erased.event()).await.unwrap().unwrap();
    let person = event.subscriber().unwrap();
    let gone = worker.harness.answer(Method::DELETE, &format!("/v1/subscribers/{person}"), "").await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    worker.deliver(&erased).await;
    worker.assert_ended(&erased, DeliveryState::Skipped, Some(Reason::PersonErased), 0).await;

    let event = store.event(&expired.event()).await.unwrap().unwrap();
    let table = &store.tables.events;
    let delete = format!("DELETE FROM \"{table}\" WHERE pk = '{}'", event.pk);
    store.client.execute_statement().statement(delete).send().await.unwrap();
    worker.deliver(&expired).await;
    worker.assert_ended(&expired, DeliveryState::Skipped, Some(Reason::EventExpired), 0).await;

    worker.harness.answer(Method::DELETE, &format!("/v1/routes/{route}"), "").await;
    worker.deliver(&deleted).await;
    worker.assert_ended(&deleted, DeliveryState::Skipped, Some(Reason::RouteDeleted), 0).await;
    worker.deliver(&format!("dlv_{}", "0".repeat(64)).parse().unwrap()).await;
    assert_eq!(worker.target.received().len(), 0);
}

#[tokio::test]
async fn an_expression_that_makes_nothing_of_an_event_ends_its_delivery() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({ "target": worker.webhook(json!({ "body": { "text": "data.nobody.name" } })) })).await;
    let delivery = worker.one_delivery().await;
    worker.deliver(&delivery).await;
    worker.assert_ended(&delivery, DeliveryState::Dead, Some(Reason::Unmappable), 1).await;
    let attempt = worker.delivery(&delivery).await.attempts.remove(0);
    assert!(attempt.status.is_none() && attempt.error.unwrap().starts_with("nothing was sent: `text`: "));
    assert_eq!(worker.own_events(DELIVERY_DEAD).await.len(), 1);
}

#[tokio::test]
async fn workers_at_one_delivery_end_as_one() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let delivery = worker.one_delivery().await;
    worker.target.says(500, "");
    worker.target.answers_together(5);
    join_all((0..5).map(|_| worker.deliver(&delivery))).await;
    assert_eq!(worker.sent().len(), 1, "one message follows");
    let delivered = worker.delivery(&delivery).await;
    assert_eq!((delivered.attempts_made, delivered.attempts.len()), (1, 1));

    bundle.clock.advance(seconds(6));
    worker.target.says(202, "taken");
    join_all((0..5).map(|_| worker.deliver(&delivery))).await;
    worker.assert_ended(&delivery, DeliveryState::Succeeded, None, 2).await;
}

#[tokio::test]
async fn dispatching_again_starts_nothing_anew_and_mends_what_is_missing() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    worker.route(json!({})).await;
    let event = worker.event().await;
    let [(first, _), (second, _)] = worker.sent().try_into().unwrap();
    worker.deliver(&first).await;
    let delivered = worker.delivery(&first).await;

    // A stream's retry.
    let records = worker.harness.so_far().await;
    worker.harness.handle(&records).await;
    assert_eq!(worker.deliveries_of(&event).await, slice::from_ref(&delivered));
    assert_eq!(worker.sent().len(), 2, "a message that was lost is sent again, one too many does no harm");
    for id in [&first, &second] {
        worker.deliver(id).await;
    }
    assert_eq!((worker.target.received().len(), worker.delivery(&first).await), (2, delivered));
}

#[tokio::test]
async fn an_event_that_is_read_anew_is_not_delivered_anew() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let event = worker.event().await;
    worker.route(json!({})).await;
    let remap = format!("/v1/hooks/{}/remap", worker.hook.id);
    let settings = json!({ "settings": { "mapping": { "tag": "/user/name" } } });
    worker.harness.answer(Method::PATCH, &format!("/v1/hooks/{}", worker.hook.id), settings.to_string()).await;
    let remapped = worker.harness.answer(Method::POST, &remap, "").await.json();
    assert_eq!(remapped["changed"], 1, "{remapped}");
    worker.dispatch().await;
    assert_eq!((worker.sent(), worker.deliveries_of(&event).await), (vec![], vec![]));
}

#[tokio::test]
async fn a_store_that_fails_loses_no_delivery() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let event = worker.harness.accept(&worker.hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    let records = worker.harness.so_far().await;
    worker.set_queue_down(true);
    for fault in [Fault::Unreached, Fault::Error(400, "ThrottlingException")] {
        let flaky = worker.harness.failing(RetryConfig::disabled(), move |operation, _| {
            if operation == "BatchExecuteStatement" { fault } else { Fault::None }
        });
        flaky.app.set_queue(std::sync::Arc::clone(&worker.queue) as _);
        let (failed, letters) = flaky.dispatch(&records).await;
        assert_eq!((failed.len(), letters.len()), (1, 0), "{fault:?}");
    }
    worker.set_queue_down(false);
    worker.harness.handle(&records).await;
    let (delivery, _) = worker.one_sent();

    // The outcome of an attempt can't be written, so the attempt repeats. The receiver recognizes it by its id.
    let flaky = worker.harness.failing(RetryConfig::disabled(), |operation, _| {
        if operation == "BatchExecuteStatement" { Fault::Unreached } else { Fault::None }
    });
    worker.hand_over(&flaky.app, &delivery).await.unwrap_err();
    worker.deliver(&delivery).await;
    worker.assert_ended(&delivery, DeliveryState::Succeeded, None, 1).await;
    let ids: Vec<_> = worker.target.received().into_iter().map(|(headers, _)| headers["webhook-id"].clone()).collect();
    assert_eq!(ids, [event.as_str(), event.as_str()]);
}

#[tokio::test]
async fn a_message_that_was_lost_is_missed_after_an_hour() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let delivery = worker.one_delivery().await;
    worker.target.answers([FAILS]);
    worker.deliver(&delivery).await;
    let (_, wait) = worker.one_sent();
    bundle.clock.advance(seconds(wait + 3_500));
    assert_eq!(due::sweep(&worker.harness.app).await.unwrap(), 0);
    bundle.clock.advance(seconds(100));
    assert_eq!(due::sweep(&worker.harness.app).await.unwrap(), 1);
    assert_eq!(worker.one_sent(), (delivery.clone(), 0));
    assert_eq!(due::sweep(&worker.harness.app).await.unwrap(), 0);
    worker.deliver(&delivery).await;
    worker.assert_ended(&delivery, DeliveryState::Succeeded, None, 2).await;
    bundle.clock.advance(seconds(10_000));
    assert_eq!(due::sweep(&worker.harness.app).await.unwrap(), 0);
    assert!(worker.own_events(ROUTE_FAILING).await.is_empty());
}
