//! First attempts: while their message is in a queue that keeps it, nothing else leads to them. So whatever may end that
//! message without an attempt has them looked for in the table.

use crate::{
    checks::pointers,
    deliver_batch::hand_over,
    desk::{self, Desk, look},
    stage::{Fault, Stage},
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use axum::http::Method;
use flow::due;
use models::{
    DeliveryId, DeliveryState, StoredDelivery,
    delivery::{Of, When},
};
use serde_json::{Value, json};
use std::{
    slice,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3_600);

async fn get(desk: &Desk<'_>, path: &str) -> Value {
    let answer = desk.stage.answer(Method::GET, path, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The ids of a list, page by page.
async fn listed(desk: &Desk<'_>, list: &str, limit: usize) -> Vec<DeliveryId> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(desk, &format!("{list}&limit={limit}{cursor}")).await;
        ids.extend(page["items"].as_array().unwrap().iter().map(|one| tests::string(&one["id"]).parse().unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

fn failing<'b>(desk: &Desk<'b>, faults: impl Fn(&str, &str) -> Fault + Send + Sync + 'static) -> Stage<'b> {
    let stage = desk.stage.failing(RetryConfig::disabled(), faults);
    stage.app.bring_queue(Arc::clone(&desk.queue) as _);
    stage
}

async fn swept(desk: &Desk<'_>) -> usize {
    due::sweep(&desk.stage.app).await.unwrap()
}

#[tokio::test]
async fn what_the_queue_keeps_is_not_looked_for_and_what_it_may_lose_is() {
    let bundle = desk::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let kept = desk.one_delivery().await;
    desk.queue.may_lose.store(true, Ordering::SeqCst);
    let lost = desk.one_delivery().await;
    assert!(!desk.delivery(&kept).await.is_looked_for() && desk.delivery(&lost).await.is_looked_for());
    bundle.clock.advance(HOUR);
    assert_eq!((swept(&desk).await, desk.one_sent().0), (1, lost));
    desk.deliver_planned(&kept, desk.delivery(&kept).await.created_at).await;
    desk.assert_ended(&kept, DeliveryState::Succeeded, None, 1).await;
}

#[tokio::test]
async fn what_dispatch_can_not_send_is_looked_for_at_once_or_dispatched_again() {
    let bundle = desk::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    desk.route(json!({})).await;
    desk.set_queue_down(true);
    let event = desk.stage.accept(&desk.hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    let records = desk.stage.so_far().await;
    let updates_fail =
        |operation: &str, _: &str| if operation == "UpdateItem" { Fault::Unreached } else { Fault::None };
    let (failed, letters) = failing(&desk, updates_fail).dispatch(&records).await;
    assert_eq!((failed.len(), letters.len()), (1, 0), "the record is to come again: nothing leads to the deliveries");
    assert_eq!(desk.deliveries_of(&event.parse().unwrap()).await.len(), 2);
    desk.stage.handle(&records).await;
    desk.stage.handle(&records).await;
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
async fn a_crash_between_storing_and_sending_is_mended_by_the_stream() {
    let bundle = desk::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let id = desk.one_delivery().await;
    // As if the first message had never been sent: the batch was not acknowledged.
    desk.stage.handle(&desk.stage.so_far().await).await;
    assert_eq!(desk.one_sent(), (id.clone(), 0));
    assert!(!desk.delivery(&id).await.is_looked_for());
}

#[tokio::test]
async fn what_fails_or_comes_again_is_looked_for() {
    let bundle = desk::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let [fails, crashes, unread] = [desk.one_delivery().await, desk.one_delivery().await, desk.one_delivery().await];
    let now = desk.stage.app.now();

    // Its attempt can't be written.
    let flaky = failing(&desk, |operation, _| if operation == "PutItem" { Fault::Unreached } else { Fault::None });
    desk.deliverer.deliver(&flaky.app, look(&fails, Some(now))).await.unwrap_err();
    assert!(desk.delivery(&fails).await.is_looked_for());

    // A process died with it: its message is received once more, and this one can't even read the route.
    let flaky = failing(&desk, |operation, body| {
        if operation == "BatchGetItem" && body.contains("route_health") { Fault::Unreached } else { Fault::None }
    });
    let crashing = slice::from_ref(&crashes);
    assert_eq!(hand_over(&flaky, &desk, "1", crashing).await, 1);
    assert!(!desk.delivery(&crashes).await.is_looked_for(), "its message has come once");
    assert_eq!(hand_over(&flaky, &desk, "2", crashing).await, 1);
    let looked_for = desk.delivery(&crashes).await;
    assert!(looked_for.is_looked_for() && looked_for.version == 1, "no change of the delivery");

    // Both messages end in the dead-letter queue.
    bundle.clock.advance(HOUR);
    assert_eq!(swept(&desk).await, 2);
    let found: Vec<DeliveryId> = desk.sent().into_iter().map(|(id, _)| id).collect();
    assert!(found.contains(&fails) && found.contains(&crashes) && !found.contains(&unread));
    for id in &found {
        desk.deliver(id).await;
        desk.assert_ended(id, DeliveryState::Succeeded, None, 1).await;
    }
    assert_eq!(swept(&desk).await, 0);
}

#[tokio::test]
async fn an_attempt_under_way_is_written_though_its_message_comes_again() {
    let bundle = desk::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let id = desk.one_delivery().await;
    let (mut under_way, app) = (desk.delivery(&id).await, &desk.stage.app);
    app.store.look_for(&under_way.key(), app.now()).await.unwrap();
    under_way.end(DeliveryState::Succeeded, None);
    app.store.update_delivery(&mut under_way, app.now()).await.unwrap();
    assert!(!desk.delivery(&id).await.is_looked_for());
    app.store.look_for(&under_way.key(), app.now()).await.unwrap();
    assert_eq!((desk.delivery(&id).await, swept(&desk).await), (under_way, 0));
}

#[tokio::test]
async fn what_is_early_by_another_clock_is_kept_in_the_queue() {
    let bundle = desk::bundle().await;
    let desk = Desk::of(&bundle).await;
    let route = desk.route(json!({})).await.parse().unwrap();
    let event = desk.stage.accept(&desk.hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    // Stored by one whose clock is ahead, and sent by one whose clock is behind.
    let (now, event) = (desk.stage.app.now(), event.parse().unwrap());
    let when = When { next_attempt_at: now.plus_seconds(2), due_at: None, expires: now.plus_seconds(60) };
    let of = Of { event: &event, event_expires: u64::MAX, route: &route, replay: None };
    let ahead = StoredDelivery::new(of, now, when);
    desk.stage.app.store.create_deliveries(slice::from_ref(&ahead)).await.unwrap();
    desk.deliver_planned(&ahead.id, now).await;
    assert_eq!((desk.one_sent(), desk.target.received().len()), ((ahead.id, 2), 0), "no other message leads to it");
}

#[tokio::test]
async fn what_is_pending_is_listed_before_its_first_attempt_and_after() {
    let bundle = desk::bundle().await;
    let desk = Desk::of(&bundle).await;
    let route = desk.route(json!({})).await;
    let other = desk.route(json!({ "events": ["chatbot.*"] })).await;
    desk.target.says(500, "later");
    let mut expected = Vec::new();
    for attempted in [true, true, true, false, false, false, false] {
        let id = desk.one_delivery().await;
        if attempted {
            desk.deliver(&id).await;
            desk.sent();
        }
        bundle.clock.advance(Duration::from_secs(1));
        expected.push(id);
    }
    // First by when they are looked for; then those of the newest events.
    let (waiting, mut first) = (expected[..3].to_vec(), expected[3..].to_vec());
    first.reverse();
    for limit in [1, 2, 3, 4, 100] {
        let all = listed(&desk, "/v1/deliveries?state=pending", limit).await;
        assert_eq!(all[3..], first, "{limit}");
        assert!(waiting.iter().all(|id| all[..3].contains(id)));
        assert_eq!(listed(&desk, &format!("/v1/deliveries?state=pending&route={route}"), limit).await, all);
        assert!(listed(&desk, &format!("/v1/deliveries?state=pending&route={other}"), limit).await.is_empty());
    }
    desk.target.says(200, "yes");
    desk.deliver(&first[0]).await;
    assert_eq!(listed(&desk, "/v1/deliveries?state=pending", 2).await.len(), 6);
    let problem = desk.stage.answer(Method::GET, "/v1/deliveries?state=pending&cursor=x", "").await;
    assert_eq!(pointers(&problem.json()), ["cursor"]);
}

#[tokio::test]
async fn a_replay_of_what_is_missing_finds_what_nothing_leads_to() {
    let bundle = desk::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
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
    assert_eq!((replay(true).await, swept(&desk).await), (json!(1), 0));
    assert_eq!((replay(false).await, replay(false).await), (json!(1), json!(0)));
    assert_eq!((swept(&desk).await, desk.one_sent().0), (1, lost.clone()));
    desk.deliver(&lost).await;
    desk.assert_ended(&lost, DeliveryState::Succeeded, None, 1).await;
}

#[tokio::test]
async fn what_an_api_makes_is_looked_for_though_its_process_dies() {
    let bundle = desk::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let event = desk.event().await;
    let [(first, _)] = desk.sent().try_into().unwrap();
    let replayed = desk.stage.answer(Method::POST, &format!("/v1/events/{event}/replay"), "").await.json();
    let replay: DeliveryId = tests::string(&replayed["deliveries"][0]).parse().unwrap();
    desk.stage.answer(Method::POST, &format!("/v1/deliveries/{first}/retry"), "").await;
    for id in [&first, &replay] {
        assert!(desk.delivery(id).await.is_looked_for());
    }
    assert!(first < replay && replay.event() == event, "the replay is the newer of the event's");
}
