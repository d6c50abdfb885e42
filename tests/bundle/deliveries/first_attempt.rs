//! First attempts: while their message is in a queue that keeps it, there is nothing else of their deliveries. So whatever
//! may end that message without an attempt has them stored, and looked for in the table.

use crate::{
    deliveries::batch::hand_over,
    support::{
        delivery_worker::{self, DeliveryWorker, is_outcome},
        harness::{Fault, Harness},
    },
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use axum::http::Method;
use flow::due;
use models::{DeliveryId, DeliveryState};
use serde_json::json;
use std::{slice, sync::Arc, time::Duration};

const HOUR: Duration = Duration::from_secs(3_600);

async fn listed(worker: &DeliveryWorker<'_>, list: &str) -> Vec<DeliveryId> {
    let listed = worker.harness.answer(Method::GET, list, "").await.json();
    listed["items"].as_array().unwrap().iter().map(|one| tests::string(&one["id"]).parse().unwrap()).collect()
}

fn failing<'b>(
    worker: &DeliveryWorker<'b>,
    faults: impl Fn(&str, &str) -> Fault + Send + Sync + 'static,
) -> Harness<'b> {
    let harness = worker.harness.failing(RetryConfig::disabled(), faults);
    harness.app.set_queue(Arc::clone(&worker.queue) as _);
    harness
}

async fn swept(worker: &DeliveryWorker<'_>) -> usize {
    due::sweep(&worker.harness.app).await.unwrap()
}

async fn is_stored(worker: &DeliveryWorker<'_>, id: &DeliveryId) -> bool {
    worker.harness.app.store.delivery(id).await.unwrap().is_some()
}

#[tokio::test]
async fn a_delivery_is_not_stored_before_its_first_attempt() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let kept = worker.one_delivery().await;
    assert!(!is_stored(&worker, &kept).await);
    let first = worker.message(&kept);
    bundle.clock.advance(HOUR);
    assert_eq!(swept(&worker).await, 0);
    worker.deliver_planned(&kept, first.at).await;
    worker.assert_ended(&kept, DeliveryState::Succeeded, None, 1).await;
    let delivery = worker.delivery(&kept).await;
    assert_eq!((delivery.version, delivery.created_at, &delivery.route), (1, first.at, &first.route));
    // SQS hands a message out twice now and then.
    worker.deliver_planned(&kept, first.at).await;
    assert_eq!((worker.target.received().len(), worker.delivery(&kept).await), (1, delivery));
}

#[tokio::test]
async fn messages_that_dispatch_can_not_send_are_due_at_once_or_dispatched_again() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    worker.route(json!({})).await;
    worker.set_queue_down(true);
    let event = worker.harness.accept(&worker.hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    let records = worker.harness.so_far().await;
    let table = worker.harness.app.store.tables.deliveries.clone();
    let storing_fails = move |operation: &str, body: &str| {
        if operation == "BatchExecuteStatement" && body.contains(&table) { Fault::Unreached } else { Fault::None }
    };
    let (failed, letters) = failing(&worker, storing_fails).dispatch(&records).await;
    assert_eq!((failed.len(), letters.len()), (1, 0), "the record is to come again: nothing leads to the deliveries");
    worker.harness.handle(&records).await;
    worker.harness.handle(&records).await;
    assert_eq!(worker.deliveries_of(&event.parse().unwrap()).await.len(), 2);
    assert!(due::sweep(&worker.harness.app).await.is_err(), "the queue is down");
    worker.set_queue_down(false);
    assert_eq!(swept(&worker).await, 2);
    for (id, wait) in worker.sent() {
        assert_eq!(wait, 0);
        worker.deliver_planned(&id, worker.delivery(&id).await.created_at).await;
        worker.assert_ended(&id, DeliveryState::Succeeded, None, 1).await;
    }
    // Finished deliveries don't become due again, however late their event is dispatched again.
    worker.set_queue_down(true);
    worker.harness.handle(&records).await;
    worker.set_queue_down(false);
    bundle.clock.advance(HOUR);
    assert_eq!(swept(&worker).await, 0);
}

#[tokio::test]
async fn a_crash_before_sending_is_mended_by_the_stream() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let id = worker.one_delivery().await;
    // As if the first message had never been sent: the batch was not acknowledged.
    worker.harness.handle(&worker.harness.so_far().await).await;
    assert_eq!(worker.one_sent(), (id.clone(), 0));
    assert!(!is_stored(&worker, &id).await);
}

#[tokio::test]
async fn a_failed_or_repeated_delivery_is_stored_and_due() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let [fails, dies, unread] = [worker.one_delivery().await, worker.one_delivery().await, worker.one_delivery().await];
    let outcomes_fail =
        |operation: &str, body: &str| if is_outcome(operation, body) { Fault::Unreached } else { Fault::None };

    // Its attempt can't be written.
    worker.target.says(500, "");
    let flaky = failing(&worker, outcomes_fail);
    worker.hand_over(&flaky.app, &fails).await.unwrap_err();
    assert_eq!(worker.delivery(&fails).await.state, DeliveryState::Pending);

    // A process died with it: its message is received once more, and nothing comes of that either.
    assert_eq!(hand_over(&flaky, &worker, "2", slice::from_ref(&dies)).await, 1);
    assert_eq!(worker.delivery(&dies).await.state, DeliveryState::Pending);

    // Nothing can be read: only its message leads to it.
    let flaky =
        failing(&worker, |operation, _| if operation == "BatchGetItem" { Fault::Unreached } else { Fault::None });
    for count in ["1", "2"] {
        assert_eq!(hand_over(&flaky, &worker, count, slice::from_ref(&unread)).await, 1);
    }
    assert!(!is_stored(&worker, &unread).await);

    // The messages end in the dead-letter queue.
    worker.target.says(200, "");
    bundle.clock.advance(HOUR);
    assert_eq!(swept(&worker).await, 2);
    let found: Vec<DeliveryId> = worker.sent().into_iter().map(|(id, _)| id).collect();
    assert!(found.contains(&fails) && found.contains(&dies));
    for id in &found {
        worker.deliver(id).await;
        worker.assert_ended(id, DeliveryState::Succeeded, None, 1).await;
    }
    assert_eq!(swept(&worker).await, 0);
}

#[tokio::test]
async fn a_message_that_is_early_by_another_clock_stays_in_the_queue() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let id = worker.one_delivery().await;
    worker.deliver_planned(&id, worker.harness.app.now().plus_seconds(2)).await;
    assert_eq!((worker.one_sent(), worker.target.received().len()), ((id.clone(), 2), 0));
    assert!(worker.message(&id).is_first && !is_stored(&worker, &id).await, "no other message leads to it");
}

#[tokio::test]
async fn a_message_that_comes_when_its_delivery_may_be_forgotten_is_not_its_first() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let id = worker.one_delivery().await;
    bundle.clock.advance(Duration::from_secs(worker.harness.app.config.delivery_ttl_days * 86_400));
    worker.deliver(&id).await;
    assert!(worker.target.received().is_empty() && !is_stored(&worker, &id).await);
}

#[tokio::test]
async fn a_pending_delivery_is_listed_from_its_first_attempt_on() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let route = worker.route(json!({})).await;
    let other = worker.route(json!({ "events": ["chatbot.*"] })).await;
    worker.target.says(500, "later");
    let (waiting, queued) = (worker.one_delivery().await, worker.one_delivery().await);
    worker.deliver(&waiting).await;
    for list in ["/v1/deliveries?state=pending".to_owned(), format!("/v1/deliveries?state=pending&route={route}")] {
        assert_eq!(listed(&worker, &list).await, slice::from_ref(&waiting));
    }
    assert!(listed(&worker, &format!("/v1/deliveries?state=pending&route={other}")).await.is_empty());
    let missing = worker.harness.answer(Method::GET, &format!("/v1/deliveries/{queued}"), "").await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn a_replay_of_what_is_missing_makes_what_nothing_leads_to() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let route = worker.route(json!({})).await;
    bundle.clock.advance(Duration::from_secs(1));
    let [lost, done] = [worker.one_delivery().await, worker.one_delivery().await];
    worker.deliver_planned(&done, worker.harness.app.now()).await;
    let replay = async |dry_run: bool| {
        let span = json!({ "after": "2020-01-01T00:00:00Z", "before": "2100-01-01T00:00:00Z", "missing_only": true,
            "dry_run": dry_run });
        worker.harness.answer(Method::POST, "/v1/events/replay", span.to_string()).await.json()["deliveries"].clone()
    };
    assert_eq!(replay(false).await, 0, "its message may come yet");
    bundle.clock.advance(HOUR + Duration::from_secs(1));
    assert_eq!(replay(true).await, 1);
    assert_eq!((replay(false).await, replay(false).await), (json!(1), json!(0)));
    assert_eq!(worker.one_sent().0, lost);
    worker.deliver(&lost).await;
    worker.assert_ended(&lost, DeliveryState::Succeeded, None, 1).await;

    // An event from the time when its route was disabled has no message in flight, however recent it is.
    worker.harness.answer(Method::PATCH, &format!("/v1/routes/{route}"), r#"{"enabled":false}"#).await;
    worker.event().await;
    assert_eq!(worker.sent(), []);
    bundle.clock.advance(Duration::from_secs(1));
    worker.harness.answer(Method::PATCH, &format!("/v1/routes/{route}"), r#"{"enabled":true}"#).await;
    assert_eq!(replay(false).await, 1);
}

#[tokio::test]
async fn deliveries_made_by_the_api_are_found_even_if_its_process_dies() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let event = worker.event().await;
    let [(first, _)] = worker.sent().try_into().unwrap();
    worker.target.says(410, "");
    worker.deliver(&first).await;
    let route = worker.delivery(&first).await.route;
    worker.harness.answer(Method::PATCH, &format!("/v1/routes/{route}"), r#"{"enabled":true}"#).await;
    let replayed = worker.harness.answer(Method::POST, &format!("/v1/events/{event}/replay"), "").await.json();
    let replay: DeliveryId = tests::string(&replayed["deliveries"][0]).parse().unwrap();
    worker.harness.answer(Method::POST, &format!("/v1/deliveries/{first}/retry"), "").await;
    for id in [&first, &replay] {
        assert!(worker.delivery(id).await.due_at.is_some());
    }
    assert!(first < replay && replay.event() == event, "the replay is the newer of the event's");
}

#[tokio::test]
async fn a_targets_answer_about_a_person_erased_meanwhile_is_not_kept() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.target.says(200, "welcome Ava");
    worker.route(json!({})).await;
    let [kept, erased] = [worker.one_delivery().await, worker.one_delivery().await];
    for (id, erases) in [(&kept, false), (&erased, true)] {
        let erasure = async {
            if erases {
                let event = worker.harness.app.store.event(&id.event()).await.unwrap().unwrap();
                let person = format!("/v1/subscribers/{}", event.subscriber().unwrap());
                assert_eq!(worker.harness.answer(Method::DELETE, &person, "").await.status, 204);
            }
        };
        worker.target.meanwhile(worker.deliver_planned(id, worker.message(id).at), erasure).await;
        worker.dispatch().await;
        bundle.clock.advance(Duration::from_secs(121));
        for (id, _) in worker.sent() {
            worker.deliver_planned(&id, worker.message(&id).at).await;
        }
        let delivery = worker.delivery(id).await;
        let expected = if erases { None } else { Some("welcome Ava".to_owned()) };
        assert_eq!((delivery.state, &delivery.attempts[0].body), (DeliveryState::Succeeded, &expected));
    }
}
