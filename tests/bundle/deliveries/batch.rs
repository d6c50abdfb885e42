//! Deliveries that are handed over together: what they need is read at once, and each goes its own way.

use crate::{
    deliveries::queue::records,
    support::{
        delivery_worker::{self, Desk},
        harness::{Fault, Stage},
    },
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

/// The same stage over a store that fails so, and the operations that were asked for.
fn watched<'b>(
    desk: &Desk<'b>,
    faults: impl Fn(&str, usize) -> Fault + Send + Sync + 'static,
) -> (Stage<'b>, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let stage = desk.stage.failing(RetryConfig::disabled(), move |operation, _| {
        let mut kept = kept.lock().unwrap();
        kept.push(operation.to_owned());
        faults(operation, kept.len())
    });
    stage.app.set_queue(Arc::clone(&desk.queue) as _);
    (stage, asked)
}

fn sound(_: &str, _: usize) -> Fault {
    Fault::None
}

/// Hands over messages, received for this time; how many are to come again.
pub async fn hand_over(stage: &Stage<'_>, desk: &Desk<'_>, count: &str, deliveries: &[DeliveryId]) -> usize {
    let body = |id: &DeliveryId| serde_json::to_string(&desk.message(id)).unwrap();
    let messages: Vec<(&str, String, &str)> = deliveries.iter().map(|id| ("m", body(id), count)).collect();
    let event = serde_json::from_value(records(&messages)).unwrap();
    take(&stage.app, &NoLetters, &desk.deliverer, event).await.failed()
}

async fn deliveries(desk: &Desk<'_>, count: usize) -> Vec<DeliveryId> {
    let mut made = Vec::new();
    for _ in 0..count {
        made.push(desk.one_delivery().await);
    }
    made
}

#[tokio::test]
async fn a_batch_asks_the_store_once_and_is_written_in_few_requests() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    for count in [1, 10] {
        let made = deliveries(&desk, count).await;
        let (stage, asked) = watched(&desk, sound);
        assert_eq!(hand_over(&stage, &desk, "1", &made).await, 0);
        let asked_for = asked.lock().unwrap().clone();
        let writes = asked_for.iter().filter(|operation| *operation == "BatchExecuteStatement").count();
        assert_eq!((&asked_for[0][..], asked_for.len()), ("BatchGetItem", 1 + writes), "{asked_for:?}");
        assert!(writes == 1 || (count == 10 && writes < 10), "{asked_for:?}");
        for id in &made {
            desk.assert_ended(id, DeliveryState::Succeeded, None, 1).await;
        }
        // What is over by then is read, and that is all.
        asked.lock().unwrap().clear();
        assert_eq!(hand_over(&stage, &desk, "1", &made).await, 0);
        assert_eq!(*asked.lock().unwrap(), ["BatchGetItem"]);
    }
    assert_eq!(desk.target.received().len(), 11);
}

#[tokio::test]
async fn each_of_a_batch_has_its_own_route_and_event() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    let [open, disabled, deleted] =
        [desk.route(json!({})).await, desk.route(json!({})).await, desk.route(json!({})).await];
    desk.event().await;
    let sent: Vec<DeliveryId> = desk.sent().into_iter().map(|(id, _)| id).collect();
    desk.stage.answer(Method::PATCH, &format!("/v1/routes/{disabled}"), r#"{"enabled":false}"#).await;
    desk.stage.answer(Method::DELETE, &format!("/v1/routes/{deleted}"), "").await;
    // A later event with the same content takes the key of the first.
    let body = json!({ "user": { "id": "u-0", "name": "Ava" }, "tag": "vip", "number": 0 });
    bundle.clock.advance(Duration::from_secs(601));
    desk.stage.accept(&desk.hook, &body).await;
    let mut all = sent.clone();
    all.push(format!("dlv_{}", "0".repeat(64)).parse().unwrap());
    all.push(sent[0].clone());
    assert_eq!(hand_over(&desk.stage, &desk, "1", &all).await, 0);
    for id in &sent {
        let route = desk.delivery(id).await.route.to_string();
        if route == open {
            let delivery = desk.delivery(id).await;
            assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Succeeded, 1));
        } else {
            let reason = if route == disabled { Reason::RouteDisabled } else { Reason::RouteDeleted };
            desk.assert_ended(id, DeliveryState::Skipped, Some(reason), 0).await;
        }
    }
    let received = desk.target.received();
    assert!(!received.is_empty());
    for (headers, _) in received {
        assert_eq!(headers["webhook-id"], sent[0].event().as_str(), "the earlier event, by its own id");
    }
}

#[tokio::test]
async fn what_the_store_leaves_out_is_asked_for_again_and_not_forever() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let made = deliveries(&desk, 3).await;
    let (stage, asked) = watched(&desk, |operation, _| match operation {
        "BatchGetItem" => Fault::LeftOut,
        _ => Fault::None,
    });
    assert_eq!(hand_over(&stage, &desk, "1", &made).await, 3, "all come again");
    assert!(asked.lock().unwrap().len() < 20);
    assert_eq!(desk.target.received().len(), 0);
    let (stage, asked) = watched(&desk, |operation, number| match operation {
        "BatchGetItem" if number % 3 != 0 => Fault::LeftOut,
        _ => Fault::None,
    });
    assert_eq!(hand_over(&stage, &desk, "1", &made).await, 0);
    assert_eq!(asked.lock().unwrap().iter().filter(|operation| *operation == "BatchGetItem").count(), 3);
    for id in &made {
        desk.assert_ended(id, DeliveryState::Succeeded, None, 1).await;
    }
}

#[tokio::test]
async fn a_batch_that_can_not_be_read_comes_again_as_a_whole() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let made = deliveries(&desk, 4).await;
    for fault in [Fault::Unreached, Fault::AnswerLost, Fault::Error(400, "ThrottlingException")] {
        let (stage, _) = watched(&desk, move |_, number| if number == 1 { fault } else { Fault::None });
        assert_eq!(hand_over(&stage, &desk, "1", &made).await, 4, "{fault:?}");
    }
    assert_eq!(desk.target.received().len(), 0);
    // One that fails by itself comes again by itself.
    desk.target.says(500, "");
    let lost: &'static str = Box::leak(made[1].to_string().into_boxed_str());
    let stage = desk.stage.failing(RetryConfig::disabled(), move |operation, body| {
        if operation == "PutItem" && body.contains(lost) { Fault::Unreached } else { Fault::None }
    });
    stage.app.set_queue(Arc::clone(&desk.queue) as _);
    assert_eq!(hand_over(&stage, &desk, "1", &made).await, 1);
    assert_eq!(desk.delivery(&made[1]).await.state, DeliveryState::Pending);
}

#[tokio::test]
async fn a_delivery_that_succeeds_at_once_is_in_no_index() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let id = desk.one_delivery().await;
    assert_eq!(hand_over(&desk.stage, &desk, "1", std::slice::from_ref(&id)).await, 0);
    let delivery: Value = serde_json::to_value(desk.delivery(&id).await).unwrap();
    for key in ["due", "due_at", "dead", "sort"] {
        assert!(delivery.get(key).is_none(), "{key} of {delivery}");
    }
    assert!(delivery.to_string().len() < 800, "well within one write unit: {delivery}");
}
