//! Deliveries that are handed over together: what they need is read at once, and each goes its own way.

use crate::support::{
    delivery_worker::{self, DeliveryWorker, is_outcome},
    harness::{Fault, Harness},
    sqs::sqs_event,
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use flow::{
    dead_letters::{DeadLetter, DeadLetters, SettingAside},
    deliver::lambda::take,
};
use models::{DeliveryId, DeliveryState, delivery::Reason};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// No message here is set aside.
struct NoLetters;

impl DeadLetters for NoLetters {
    fn set_aside(&self, letter: DeadLetter) -> SettingAside<'_> {
        panic!("{letter:?}")
    }
}

/// The same harness over a store that fails so, and the operations that were asked for.
fn watched<'b>(
    worker: &DeliveryWorker<'b>,
    faults: impl Fn(&str, usize) -> Fault + Send + Sync + 'static,
) -> (Harness<'b>, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let harness = worker.harness.failing(RetryConfig::disabled(), move |operation, _| {
        let mut kept = kept.lock().unwrap();
        kept.push(operation.to_owned());
        faults(operation, kept.len())
    });
    harness.app.set_queue(Arc::clone(&worker.queue) as _);
    (harness, asked)
}

fn sound(_: &str, _: usize) -> Fault {
    Fault::None
}

/// Hands over messages, received for this time; how many are to come again.
pub async fn hand_over(
    harness: &Harness<'_>,
    worker: &DeliveryWorker<'_>,
    count: &str,
    deliveries: &[DeliveryId],
) -> usize {
    let body = |id: &DeliveryId| serde_json::to_string(&worker.message(id)).unwrap();
    let messages: Vec<(&str, String, &str)> = deliveries.iter().map(|id| ("m", body(id), count)).collect();
    let event = serde_json::from_value(sqs_event(&messages)).unwrap();
    take(&harness.app, &NoLetters, &worker.deliverer, event).await.failed()
}

async fn deliveries(worker: &DeliveryWorker<'_>, count: usize) -> Vec<DeliveryId> {
    let mut made = Vec::new();
    for _ in 0..count {
        made.push(worker.one_delivery().await);
    }
    made
}

#[tokio::test]
async fn a_batch_asks_the_store_once_and_is_written_in_few_requests() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    for count in [1, 10] {
        let made = deliveries(&worker, count).await;
        let (harness, asked) = watched(&worker, sound);
        assert_eq!(hand_over(&harness, &worker, "1", &made).await, 0);
        let asked_for = asked.lock().unwrap().clone();
        let writes = asked_for.iter().filter(|operation| *operation == "BatchExecuteStatement").count();
        assert_eq!((&asked_for[0][..], asked_for.len()), ("BatchGetItem", 1 + writes), "{asked_for:?}");
        assert!(writes == 1 || (count == 10 && writes < 10), "{asked_for:?}");
        for id in &made {
            worker.assert_ended(id, DeliveryState::Succeeded, None, 1).await;
        }
        // Finished deliveries cost a read and nothing else.
        asked.lock().unwrap().clear();
        assert_eq!(hand_over(&harness, &worker, "1", &made).await, 0);
        assert_eq!(*asked.lock().unwrap(), ["BatchGetItem"]);
    }
    assert_eq!(worker.target.received().len(), 11);
}

#[tokio::test]
async fn each_of_a_batch_has_its_own_route_and_event() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let [open, disabled, deleted] =
        [worker.route(json!({})).await, worker.route(json!({})).await, worker.route(json!({})).await];
    worker.event().await;
    let sent: Vec<DeliveryId> = worker.sent().into_iter().map(|(id, _)| id).collect();
    worker.harness.answer(Method::PATCH, &format!("/v1/routes/{disabled}"), r#"{"enabled":false}"#).await;
    worker.harness.answer(Method::DELETE, &format!("/v1/routes/{deleted}"), "").await;
    // A later event with the same content takes the key of the first.
    let body = json!({ "user": { "id": "u-0", "name": "Ava" }, "tag": "vip", "number": 0 });
    bundle.clock.advance(Duration::from_secs(601));
    worker.harness.accept(&worker.hook, &body).await;
    let mut all = sent.clone();
    all.push(format!("dlv_{}", "0".repeat(64)).parse().unwrap());
    all.push(sent[0].clone());
    assert_eq!(hand_over(&worker.harness, &worker, "1", &all).await, 0);
    for id in &sent {
        let route = worker.delivery(id).await.route.to_string();
        if route == open {
            let delivery = worker.delivery(id).await;
            assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Succeeded, 1));
        } else {
            let reason = if route == disabled { Reason::RouteDisabled } else { Reason::RouteDeleted };
            worker.assert_ended(id, DeliveryState::Skipped, Some(reason), 0).await;
        }
    }
    let received = worker.target.received();
    assert!(!received.is_empty());
    for (headers, _) in received {
        assert_eq!(headers["webhook-id"], sent[0].event().as_str(), "the earlier event, by its own id");
    }
}

#[tokio::test]
async fn items_that_the_store_leaves_out_are_requested_again_but_not_forever() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let made = deliveries(&worker, 3).await;
    let (harness, asked) = watched(&worker, |operation, _| match operation {
        "BatchGetItem" => Fault::LeftOut,
        _ => Fault::None,
    });
    assert_eq!(hand_over(&harness, &worker, "1", &made).await, 3, "all come again");
    assert!(asked.lock().unwrap().len() < 20);
    assert_eq!(worker.target.received().len(), 0);
    let (harness, asked) = watched(&worker, |operation, number| match operation {
        "BatchGetItem" if number % 3 != 0 => Fault::LeftOut,
        _ => Fault::None,
    });
    assert_eq!(hand_over(&harness, &worker, "1", &made).await, 0);
    assert_eq!(asked.lock().unwrap().iter().filter(|operation| *operation == "BatchGetItem").count(), 3);
    for id in &made {
        worker.assert_ended(id, DeliveryState::Succeeded, None, 1).await;
    }
}

#[tokio::test]
async fn a_batch_that_can_not_be_read_comes_again_as_a_whole() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let made = deliveries(&worker, 4).await;
    for fault in [Fault::Unreached, Fault::AnswerLost, Fault::Error(400, "ThrottlingException")] {
        let (harness, _) = watched(&worker, move |_, number| if number == 1 { fault } else { Fault::None });
        assert_eq!(hand_over(&harness, &worker, "1", &made).await, 4, "{fault:?}");
    }
    assert_eq!(worker.target.received().len(), 0);
    // One whose outcome can't be written comes again, with those of the same request.
    worker.target.says(500, "");
    let lost: &'static str = Box::leak(made[1].to_string().into_boxed_str());
    let harness = worker.harness.failing(RetryConfig::disabled(), move |operation, body| {
        if is_outcome(operation, body) && body.contains(lost) { Fault::Unreached } else { Fault::None }
    });
    harness.app.set_queue(Arc::clone(&worker.queue) as _);
    assert!((1..=4).contains(&hand_over(&harness, &worker, "1", &made).await));
    for delivery in &made {
        assert_eq!(worker.delivery(delivery).await.state, DeliveryState::Pending);
    }
}

#[tokio::test]
async fn a_delivery_that_succeeds_at_once_is_in_no_index() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let id = worker.one_delivery().await;
    assert_eq!(hand_over(&worker.harness, &worker, "1", std::slice::from_ref(&id)).await, 0);
    let delivery: Value = serde_json::to_value(worker.delivery(&id).await).unwrap();
    for key in ["due", "due_at", "dead", "sort"] {
        assert!(delivery.get(key).is_none(), "{key} of {delivery}");
    }
    assert!(delivery.to_string().len() < 800, "well within one write unit: {delivery}");
}
