//! The queue of deliveries: what a failing one loses, what Lambda hands over, and what is found without it.

use crate::support::{
    delivery_worker::{self, Desk},
    harness::Fault,
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
    delivery::{Of, When},
    ids::ContentKey,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Mutex, time::Duration};
use tests::Bundle;

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
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    desk.set_queue_down(true);
    let event = desk.event().await;
    let [stored] = desk.deliveries_of(&event).await.try_into().unwrap();
    assert_eq!(stored.state, DeliveryState::Pending, "what is told is told, and the delivery is there");
    let replayed = desk.stage.answer(Method::POST, &format!("/v1/events/{event}/replay"), "").await;
    assert_eq!(replayed.status, 200, "or it would be replayed again: {}", replayed.text);

    desk.target.says(500, "");
    let failed = desk.hand_over(&desk.stage.app, &stored.id).await;
    assert!(failed.is_err(), "the message is to come again");
    assert_eq!(desk.delivery(&stored.id).await.tried, 1);
    desk.set_queue_down(false);
    desk.deliver(&stored.id).await;
    assert_eq!((desk.one_sent(), desk.target.received().len()), ((stored.id, 5), 1), "and sends what follows");

    bundle.clock.advance(Duration::from_secs(3_541));
    assert_eq!(
        due::sweep(&desk.stage.app).await.unwrap(),
        1,
        "the replay is found after an hour, looked for a minute ahead"
    );
    assert_eq!(desk.sent().len(), 1);
}

/// Messages as Lambda's event source for SQS hands them over.
pub fn records(messages: &[(&str, String, &str)]) -> Value {
    let record = |(id, body, count): &(&str, String, &str)| {
        json!({
            "messageId": id, "receiptHandle": "r", "body": body, "md5OfBody": "", "messageAttributes": {},
            "attributes": { "ApproximateReceiveCount": count, "SentTimestamp": "1767225600000", "SenderId": "s",
                "ApproximateFirstReceiveTimestamp": "1767225600001", "MessageGroupId": "rt_0" },
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q", "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Value>() })
}

#[tokio::test]
async fn one_message_that_fails_comes_again_and_one_that_is_none_is_set_aside() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let (good, bad) = (desk.one_delivery().await, desk.one_delivery().await);
    let body = |id: &DeliveryId| serde_json::to_string(&desk.message(id)).unwrap();
    let event = records(&[
        ("m-1", body(&good), "1"),
        ("m-2", "no message of ours".to_owned(), "1"),
        ("m-3", body(&bad), "3"),
        ("m-4", json!({ "delivery": "dlv_0", "at": desk.stage.app.now() }).to_string(), "1"),
    ]);
    let failing = bad.to_string();
    let flaky = desk.stage.failing(RetryConfig::disabled(), move |operation, body| {
        if operation == "PutItem" && body.contains(&failing) { Fault::Unreached } else { Fault::None }
    });
    let letters = Letters::default();
    let response = take(&flaky.app, &letters, &desk.deliverer, serde_json::from_value(event).unwrap()).await;
    let expected = json!({ "batchItemFailures": [{ "itemIdentifier": "m-3" }] });
    assert_eq!(serde_json::to_value(response).unwrap(), expected);
    let aside: Vec<String> = letters.0.lock().unwrap().iter().map(|letter| letter.event.clone()).collect();
    assert_eq!(aside, ["message m-2", "message m-4"]);
    desk.assert_ended(&good, DeliveryState::Succeeded, None, 1).await;
    assert_eq!(desk.delivery(&bad).await.state, DeliveryState::Pending);
}

#[tokio::test]
async fn all_that_is_due_is_sent_page_by_page() {
    const COUNT: usize = 1_200;
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    let now = desk.stage.app.now();
    let route = RouteId::new(now, [1; 10]);
    let due_at = now.plus_seconds(30);
    let made = |number: usize| {
        let event = EventId::new(now, ContentKey::of_route(&route, &[&number.to_be_bytes()]));
        let of = Of { event: &event, event_expires: u64::MAX, route: &route, replay: None };
        StoredDelivery::new(of, now, When { next_attempt_at: due_at, due_at, expires: due_at.plus_seconds(60) })
    };
    let mut deliveries: Vec<StoredDelivery> = (0..COUNT).map(made).collect();
    let store = &desk.stage.app.store;
    assert_eq!(store.create_deliveries(&mut deliveries, now).await.unwrap(), vec![true; COUNT]);
    assert_eq!(store.create_deliveries(&mut deliveries[..30], now).await.unwrap(), [false; 30]);
    assert_eq!(due::sweep(&desk.stage.app).await.unwrap(), COUNT);
    let sent = desk.sent();
    let ids: BTreeSet<_> = sent.iter().map(|(id, _)| id).collect();
    assert_eq!((sent.len(), ids.len()), (COUNT, COUNT));
    assert!(sent.iter().all(|(_, wait)| *wait == 30));
    assert_eq!(due::sweep(&desk.stage.app).await.unwrap(), 0);
}

#[tokio::test]
async fn no_delivery_outlives_its_event() {
    let short = Bundle::start_with(&[("EVENT_TTL_DAYS", "1"), ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8")]).await;
    let desk = Desk::of(&short).await;
    desk.route(json!({})).await;
    let id = desk.one_delivery().await;
    desk.deliver(&id).await;
    let (delivery, event) = (desk.delivery(&id).await, id.event());
    let stored = desk.stage.app.store.event(&event).await.unwrap().unwrap();
    assert_eq!(Some(delivery.expires), stored.expires);
}
