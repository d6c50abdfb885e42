//! First attempts: while their message is in a queue that keeps it, there is nothing else of their deliveries. So whatever
//! may end that message without an attempt has them stored, and looked for in the table.

use crate::{
    deliveries::batch::hand_over,
    support::{
        delivery_worker::{self, Desk},
        harness::{Fault, Stage},
    },
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use axum::http::Method;
use flow::due;
use models::{DeliveryId, DeliveryState};
use serde_json::json;
use std::{
    slice,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3_600);

async fn listed(desk: &Desk<'_>, list: &str) -> Vec<DeliveryId> {
    let listed = desk.stage.answer(Method::GET, list, "").await.json();
    listed["items"].as_array().unwrap().iter().map(|one| tests::string(&one["id"]).parse().unwrap()).collect()
}

fn failing<'b>(desk: &Desk<'b>, faults: impl Fn(&str, &str) -> Fault + Send + Sync + 'static) -> Stage<'b> {
    let stage = desk.stage.failing(RetryConfig::disabled(), faults);
    stage.app.set_queue(Arc::clone(&desk.queue) as _);
    stage
}

async fn swept(desk: &Desk<'_>) -> usize {
    due::sweep(&desk.stage.app).await.unwrap()
}

async fn is_stored(desk: &Desk<'_>, id: &DeliveryId) -> bool {
    desk.stage.app.store.delivery(id).await.unwrap().is_some()
}

#[tokio::test]
async fn what_the_queue_keeps_is_not_stored_and_what_it_may_lose_is() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let kept = desk.one_delivery().await;
    desk.queue.may_lose.store(true, Ordering::SeqCst);
    let lost = desk.one_delivery().await;
    assert!(!is_stored(&desk, &kept).await && is_stored(&desk, &lost).await);
    let first = desk.message(&kept);
    bundle.clock.advance(HOUR);
    assert_eq!((swept(&desk).await, desk.one_sent().0), (1, lost));
    desk.deliver_planned(&kept, first.at).await;
    desk.assert_ended(&kept, DeliveryState::Succeeded, None, 1).await;
    let delivery = desk.delivery(&kept).await;
    assert_eq!((delivery.version, delivery.created_at, &delivery.route), (1, first.at, &first.route));
    // SQS hands a message out twice now and then.
    desk.deliver_planned(&kept, first.at).await;
    assert_eq!((desk.target.received().len(), desk.delivery(&kept).await), (1, delivery));
}

#[tokio::test]
async fn what_dispatch_can_not_send_is_looked_for_at_once_or_dispatched_again() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    desk.route(json!({})).await;
    desk.set_queue_down(true);
    let event = desk.stage.accept(&desk.hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    let records = desk.stage.so_far().await;
    let table = desk.stage.app.store.tables.deliveries.clone();
    let storing_fails = move |operation: &str, body: &str| {
        if operation == "BatchExecuteStatement" && body.contains(&table) { Fault::Unreached } else { Fault::None }
    };
    let (failed, letters) = failing(&desk, storing_fails).dispatch(&records).await;
    assert_eq!((failed.len(), letters.len()), (1, 0), "the record is to come again: nothing leads to the deliveries");
    desk.stage.handle(&records).await;
    desk.stage.handle(&records).await;
    assert_eq!(desk.deliveries_of(&event.parse().unwrap()).await.len(), 2);
    assert!(due::sweep(&desk.stage.app).await.is_err(), "the queue is down");
    desk.set_queue_down(false);
    assert_eq!(swept(&desk).await, 2);
    for (id, wait) in desk.sent() {
        assert_eq!(wait, 0);
        desk.deliver_planned(&id, desk.delivery(&id).await.created_at).await;
        desk.assert_ended(&id, DeliveryState::Succeeded, None, 1).await;
    }
    // What is over is not looked for, however late it is dispatched again.
    desk.set_queue_down(true);
    desk.stage.handle(&records).await;
    desk.set_queue_down(false);
    bundle.clock.advance(HOUR);
    assert_eq!(swept(&desk).await, 0);
}

#[tokio::test]
async fn a_crash_before_sending_is_mended_by_the_stream() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let id = desk.one_delivery().await;
    // As if the first message had never been sent: the batch was not acknowledged.
    desk.stage.handle(&desk.stage.so_far().await).await;
    assert_eq!(desk.one_sent(), (id.clone(), 0));
    assert!(!is_stored(&desk, &id).await);
}

#[tokio::test]
async fn what_fails_or_comes_again_is_stored_and_looked_for() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let [fails, dies, unread] = [desk.one_delivery().await, desk.one_delivery().await, desk.one_delivery().await];
    let puts_fail = |operation: &str, _: &str| if operation == "PutItem" { Fault::Unreached } else { Fault::None };

    // Its attempt can't be written.
    desk.target.says(500, "");
    let flaky = failing(&desk, puts_fail);
    desk.hand_over(&flaky.app, &fails).await.unwrap_err();
    assert_eq!(desk.delivery(&fails).await.state, DeliveryState::Pending);

    // A process died with it: its message is received once more, and nothing comes of that either.
    assert_eq!(hand_over(&flaky, &desk, "2", slice::from_ref(&dies)).await, 1);
    assert_eq!(desk.delivery(&dies).await.state, DeliveryState::Pending);

    // Nothing can be read: only its message leads to it.
    let flaky = failing(&desk, |operation, _| if operation == "BatchGetItem" { Fault::Unreached } else { Fault::None });
    for count in ["1", "2"] {
        assert_eq!(hand_over(&flaky, &desk, count, slice::from_ref(&unread)).await, 1);
    }
    assert!(!is_stored(&desk, &unread).await);

    // The messages end in the dead-letter queue.
    desk.target.says(200, "");
    bundle.clock.advance(HOUR);
    assert_eq!(swept(&desk).await, 2);
    let found: Vec<DeliveryId> = desk.sent().into_iter().map(|(id, _)| id).collect();
    assert!(found.contains(&fails) && found.contains(&dies));
    for id in &found {
        desk.deliver(id).await;
        desk.assert_ended(id, DeliveryState::Succeeded, None, 1).await;
    }
    assert_eq!(swept(&desk).await, 0);
}

#[tokio::test]
async fn what_is_early_by_another_clock_is_kept_in_the_queue() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let id = desk.one_delivery().await;
    desk.deliver_planned(&id, desk.stage.app.now().plus_seconds(2)).await;
    assert_eq!((desk.one_sent(), desk.target.received().len()), ((id.clone(), 2), 0));
    assert!(desk.message(&id).is_first && !is_stored(&desk, &id).await, "no other message leads to it");
}

#[tokio::test]
async fn a_message_that_comes_when_its_delivery_may_be_forgotten_is_not_its_first() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let id = desk.one_delivery().await;
    bundle.clock.advance(Duration::from_secs(desk.stage.app.config.delivery_ttl_days * 86_400));
    desk.deliver(&id).await;
    assert!(desk.target.received().is_empty() && !is_stored(&desk, &id).await);
}

#[tokio::test]
async fn what_is_pending_is_listed_from_its_first_attempt_on() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    let route = desk.route(json!({})).await;
    let other = desk.route(json!({ "events": ["chatbot.*"] })).await;
    desk.target.says(500, "later");
    let (waiting, queued) = (desk.one_delivery().await, desk.one_delivery().await);
    desk.deliver(&waiting).await;
    for list in ["/v1/deliveries?state=pending".to_owned(), format!("/v1/deliveries?state=pending&route={route}")] {
        assert_eq!(listed(&desk, &list).await, slice::from_ref(&waiting));
    }
    assert!(listed(&desk, &format!("/v1/deliveries?state=pending&route={other}")).await.is_empty());
    let missing = desk.stage.answer(Method::GET, &format!("/v1/deliveries/{queued}"), "").await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn a_replay_of_what_is_missing_makes_what_nothing_leads_to() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    let route = desk.route(json!({})).await;
    bundle.clock.advance(Duration::from_secs(1));
    let [lost, done] = [desk.one_delivery().await, desk.one_delivery().await];
    desk.deliver_planned(&done, desk.stage.app.now()).await;
    let replay = async |dry_run: bool| {
        let span = json!({ "after": "2020-01-01T00:00:00Z", "before": "2100-01-01T00:00:00Z", "missing_only": true,
            "dry_run": dry_run });
        desk.stage.answer(Method::POST, "/v1/events/replay", span.to_string()).await.json()["deliveries"].clone()
    };
    assert_eq!(replay(false).await, 0, "its message may come yet");
    bundle.clock.advance(HOUR + Duration::from_secs(1));
    assert_eq!(replay(true).await, 1);
    assert_eq!((replay(false).await, replay(false).await), (json!(1), json!(0)));
    assert_eq!(desk.one_sent().0, lost);
    desk.deliver(&lost).await;
    desk.assert_ended(&lost, DeliveryState::Succeeded, None, 1).await;

    // What came while a route was disabled has no message on its way, however lately it came.
    desk.stage.answer(Method::PATCH, &format!("/v1/routes/{route}"), r#"{"enabled":false}"#).await;
    desk.event().await;
    assert_eq!(desk.sent(), []);
    bundle.clock.advance(Duration::from_secs(1));
    desk.stage.answer(Method::PATCH, &format!("/v1/routes/{route}"), r#"{"enabled":true}"#).await;
    assert_eq!(replay(false).await, 1);
}

#[tokio::test]
async fn what_an_api_makes_is_looked_for_though_its_process_dies() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let event = desk.event().await;
    let [(first, _)] = desk.sent().try_into().unwrap();
    desk.target.says(410, "");
    desk.deliver(&first).await;
    let route = desk.delivery(&first).await.route;
    desk.stage.answer(Method::PATCH, &format!("/v1/routes/{route}"), r#"{"enabled":true}"#).await;
    let replayed = desk.stage.answer(Method::POST, &format!("/v1/events/{event}/replay"), "").await.json();
    let replay: DeliveryId = tests::string(&replayed["deliveries"][0]).parse().unwrap();
    desk.stage.answer(Method::POST, &format!("/v1/deliveries/{first}/retry"), "").await;
    for id in [&first, &replay] {
        assert!(desk.delivery(id).await.due_at.is_some());
    }
    assert!(first < replay && replay.event() == event, "the replay is the newer of the event's");
}

#[tokio::test]
async fn what_a_target_says_of_a_person_who_is_erased_meanwhile_is_not_kept() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.target.says(200, "welcome Ava");
    desk.route(json!({})).await;
    let [kept, erased] = [desk.one_delivery().await, desk.one_delivery().await];
    for (id, erases) in [(&kept, false), (&erased, true)] {
        let erasure = async {
            if erases {
                let event = desk.stage.app.store.event(&id.event()).await.unwrap().unwrap();
                let person = format!("/v1/subscribers/{}", event.subscriber().unwrap());
                assert_eq!(desk.stage.answer(Method::DELETE, &person, "").await.status, 204);
            }
        };
        desk.target.meanwhile(desk.deliver_planned(id, desk.message(id).at), erasure).await;
        desk.dispatch().await;
        bundle.clock.advance(Duration::from_secs(121));
        for (id, _) in desk.sent() {
            desk.deliver_planned(&id, desk.message(&id).at).await;
        }
        let delivery = desk.delivery(id).await;
        let expected = if erases { None } else { Some("welcome Ava".to_owned()) };
        assert_eq!((delivery.state, &delivery.attempts[0].body), (DeliveryState::Succeeded, &expected));
    }
}
