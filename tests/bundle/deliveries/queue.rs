//! The queue of deliveries: what a failing one loses, what Lambda hands over, and what is found without it.

use crate::support::{
    delivery_worker::{self, DeliveryWorker, is_outcome},
    harness::Fault,
    sqs::sqs_event,
    target::{ALLOW, TAKES_ALL, Target, route_to},
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use axum::http::Method;
use flow::{
    dead_letters::{DeadLetter, DeadLetters, SettingAside},
    deliver::lambda::take,
    due,
};
use models::{
    DeliveryId, DeliveryState, EventId, RouteId, StoredDelivery,
    delivery::{DeliveryOrigin, DeliveryTimes},
    ids::ContentKey,
};
use serde_json::json;
use std::{collections::BTreeSet, sync::Mutex, time::Duration};
use tests::{Bundle, eventually};

#[derive(Default)]
struct Letters(Mutex<Vec<DeadLetter>>);

impl DeadLetters for Letters {
    fn set_aside(&self, letter: DeadLetter) -> SettingAside<'_> {
        self.0.lock().unwrap().push(letter);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_queue_that_is_down_delays_and_loses_nothing() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    worker.set_queue_down(true);
    let event = worker.event().await;
    let [stored] = worker.deliveries_of(&event).await.try_into().unwrap();
    assert_eq!(stored.state, DeliveryState::Pending, "the event is stored, and the delivery exists");
    let replayed = worker.harness.answer(Method::POST, &format!("/v1/events/{event}/replay"), "").await;
    assert_eq!(replayed.status, 200, "or it would be replayed again: {}", replayed.text);

    worker.target.says(500, "");
    let failed = worker.hand_over(&worker.harness.app, &stored.id).await;
    assert!(failed.is_err(), "the message is to come again");
    assert_eq!(worker.delivery(&stored.id).await.attempts_made, 1);
    worker.set_queue_down(false);
    worker.deliver(&stored.id).await;
    assert_eq!((worker.one_sent(), worker.target.received().len()), ((stored.id, 5), 1), "and sends what follows");

    bundle.clock.advance(Duration::from_secs(3_541));
    assert_eq!(
        due::sweep(&worker.harness.app).await.unwrap(),
        1,
        "the replay is found after an hour, looked for a minute ahead"
    );
    assert_eq!(worker.sent().len(), 1);
}

#[tokio::test]
async fn a_failing_message_comes_again_and_an_invalid_one_is_set_aside() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({})).await;
    let (good, bad) = (worker.one_delivery().await, worker.one_delivery().await);
    let body = |id: &DeliveryId| serde_json::to_string(&worker.message(id)).unwrap();
    let event = sqs_event(&[
        ("m-1", body(&good), "1"),
        ("m-2", "no message of ours".to_owned(), "1"),
        ("m-3", body(&bad), "3"),
        ("m-4", json!({ "delivery": "dlv_0", "at": worker.harness.app.now() }).to_string(), "1"),
    ]);
    let failing = bad.to_string();
    let flaky = worker.harness.failing(RetryConfig::disabled(), move |operation, body| {
        if is_outcome(operation, body) && body.contains(&failing) { Fault::Unreached } else { Fault::None }
    });
    let letters = Letters::default();
    let response = take(&flaky.app, &letters, &worker.deliverer, serde_json::from_value(event).unwrap()).await;
    let expected = json!({ "batchItemFailures": [{ "itemIdentifier": "m-3" }] });
    assert_eq!(serde_json::to_value(response).unwrap(), expected);
    let aside: Vec<String> = letters.0.lock().unwrap().iter().map(|letter| letter.event.clone()).collect();
    assert_eq!(aside, ["message m-2", "message m-4"]);
    worker.assert_ended(&good, DeliveryState::Succeeded, None, 1).await;
    assert_eq!(worker.delivery(&bad).await.state, DeliveryState::Pending);
}

#[tokio::test]
async fn all_that_is_due_is_sent_page_by_page() {
    const COUNT: usize = 1_200;
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let now = worker.harness.app.now();
    let route = RouteId::new(now, [1; 10]);
    let due_at = now.plus_seconds(30);
    let made = |number: usize| {
        let event = EventId::new(now, ContentKey::of_route(&route, &[&number.to_be_bytes()]));
        let of = DeliveryOrigin { event: &event, event_expires: u64::MAX, route: &route, replay: None };
        StoredDelivery::new(
            of,
            now,
            DeliveryTimes { next_attempt_at: due_at, due_at, expires: due_at.plus_seconds(60) },
        )
    };
    let mut deliveries: Vec<StoredDelivery> = (0..COUNT).map(made).collect();
    let store = &worker.harness.app.store;
    assert_eq!(store.create_deliveries(&mut deliveries, now).await.unwrap(), vec![true; COUNT]);
    assert_eq!(store.create_deliveries(&mut deliveries[..30], now).await.unwrap(), [false; 30]);
    assert_eq!(due::sweep(&worker.harness.app).await.unwrap(), COUNT);
    let sent = worker.sent();
    let ids: BTreeSet<_> = sent.iter().map(|(id, _)| id).collect();
    assert_eq!((sent.len(), ids.len()), (COUNT, COUNT));
    assert!(sent.iter().all(|(_, wait)| *wait == 30));
    assert_eq!(due::sweep(&worker.harness.app).await.unwrap(), 0);
}

#[tokio::test]
async fn no_delivery_outlives_its_event() {
    let short = Bundle::start_with(&[("EVENT_TTL_DAYS", "1"), ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8")]).await;
    let worker = DeliveryWorker::of(&short).await;
    worker.route(json!({})).await;
    let id = worker.one_delivery().await;
    worker.deliver(&id).await;
    let (delivery, event) = (worker.delivery(&id).await, id.event());
    let stored = worker.harness.app.store.event(&event).await.unwrap().unwrap();
    assert_eq!(Some(delivery.expires), stored.expires);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_still_read_in_batches_after_many() {
    const ROUTES: usize = 30;
    const EVENTS: usize = 60;
    let target = Target::start(TAKES_ALL).await;
    let bundle = Bundle::start_with(&[ALLOW]).await;
    for _ in 0..ROUTES {
        route_to(&bundle, "botstar.tag.added", &target.url).await;
    }
    let hook = bundle.hook("botstar.watch-tag").await;
    for number in 0..EVENTS {
        bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": format!("tag {number}") })).await;
    }
    eventually(|| async { (target.count() == ROUTES * EVENTS).then_some(()) }).await;
    let table = &bundle.local.app.config.tables.deliveries;
    let reads: u64 = bundle
        .local
        .database
        .calls()
        .iter()
        .filter(|((operation, tables), _)| operation == "BatchGetItem" && tables.contains(table))
        .map(|(_, count)| count)
        .sum();
    assert!((1..450).contains(&reads), "{reads} reads for {} deliveries", ROUTES * EVENTS);
}
