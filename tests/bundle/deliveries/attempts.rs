//! What becomes of a delivery: attempts, waits, the end; crashes and repeats between any two steps.

use crate::support::{
    delivery_worker::{self, Desk, FAILS},
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
use std::{collections::BTreeSet, slice, sync::atomic::Ordering, time::Duration};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn an_event_is_delivered_once_to_each_route_that_it_is_for() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    let plain = desk.route(json!({})).await;
    let filtered = desk.route(json!({ "events": ["*"], "filter": "data.tag == 'vip'" })).await;
    let of_hook = desk.route(json!({ "events": ["*"], "hook": desk.hook.id })).await;
    for other in [
        json!({ "filter": "data.tag == 'gold'" }),
        json!({ "filter": "data.nothing == 1" }),
        json!({ "events": ["chatbot.*"] }),
        json!({ "enabled": false }),
        json!({ "connection": bundle.connection("botstar").await }),
        json!({ "hook": bundle.hook("botstar.watch-tag").await.id }),
    ] {
        desk.route(other).await;
    }
    let event = desk.event().await;
    let sent = desk.sent();
    assert!(sent.iter().all(|(_, wait)| *wait == 0));
    for (id, _) in &sent {
        desk.deliver(id).await;
        desk.assert_ended(id, DeliveryState::Succeeded, None, 1).await;
        let attempt = &desk.delivery(id).await.attempts[0];
        assert_eq!((attempt.status, &attempt.error, attempt.body.as_deref()), (Some(202), &None, Some("taken")));
        desk.deliver(id).await;
    }
    let deliveries = desk.deliveries_of(&event).await;
    let ids: BTreeSet<&DeliveryId> = deliveries.iter().map(|delivery| &delivery.id).collect();
    assert_eq!(sent.iter().map(|(id, _)| id).collect::<BTreeSet<_>>(), ids);
    let routes: BTreeSet<&str> = deliveries.iter().map(|delivery| delivery.route.as_str()).collect();
    assert_eq!(routes, BTreeSet::from([plain.as_str(), &filtered, &of_hook]));
    let received = desk.target.received();
    assert_eq!(received.len(), 3, "a repeated message calls nobody");
    for (headers, body) in received {
        assert_eq!(headers["webhook-id"], event.as_str());
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["id"], event.as_str());
    }
}

#[tokio::test]
async fn a_failing_delivery_waits_as_the_schedule_says_and_then_is_dead() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    let route = desk.route(json!({})).await;
    desk.route(json!({ "events": ["switchboard.*"] })).await;
    desk.target.answers([(500, &[]), (302, &[("location", "/")]), (404, &[]), (503, &[])] as [Scripted; 4]);
    let delivery = desk.one_delivery().await;

    desk.deliver(&delivery).await;
    let (again, wait) = desk.one_sent();
    assert!(again == delivery && wait == 5, "{wait}");
    let planned = desk.delivery(&delivery).await.next_attempt_at.unwrap();
    desk.deliver_planned(&delivery, planned).await;
    assert_eq!(desk.one_sent(), (delivery.clone(), wait), "an early message is kept back, and nothing is tried");
    desk.deliver(&delivery).await;
    assert_eq!(desk.one_sent(), (delivery.clone(), wait), "so is one that may have been handled in part");
    desk.deliver_planned(&delivery, desk.stage.app.now()).await;
    assert_eq!(desk.sent(), [], "one for the attempt before has been overtaken");
    bundle.clock.advance(seconds(6));
    desk.deliver(&delivery).await;
    let (_, wait) = desk.one_sent();
    assert!((60..=66).contains(&wait), "{wait}");

    // Longer than a queue keeps a message back: it is found in the table.
    bundle.clock.advance(seconds(66));
    desk.deliver(&delivery).await;
    assert_eq!(desk.sent(), []);
    let waiting = desk.delivery(&delivery).await;
    let wait = waiting.next_attempt_at.unwrap().millis_since(desk.stage.app.now()) / 1000;
    assert!((1200..=1320).contains(&wait), "{wait}");
    assert_eq!((waiting.tried, waiting.state), (3, DeliveryState::Pending));
    desk.deliver(&delivery).await;
    assert_eq!((desk.sent(), due::sweep(&desk.stage.app).await.unwrap()), (vec![], 0));
    bundle.clock.advance(seconds(wait - 30));
    assert_eq!(due::sweep(&desk.stage.app).await.unwrap(), 1, "a minute ahead");
    let (_, ahead) = desk.one_sent();
    assert!((29..=31).contains(&ahead), "{ahead}");
    assert_eq!(due::sweep(&desk.stage.app).await.unwrap(), 0, "once");

    bundle.clock.advance(seconds(ahead + 1));
    desk.deliver(&delivery).await;
    desk.assert_ended(&delivery, DeliveryState::Dead, Some(Reason::AttemptsUsedUp), 4).await;
    let attempts = desk.delivery(&delivery).await.attempts;
    assert_eq!(attempts.iter().filter_map(|attempt| attempt.status).collect::<Vec<_>>(), [500, 302, 404, 503]);
    assert_eq!(attempts[0].body.as_deref(), Some("taken"));
    assert_eq!(attempts[1].error.as_deref(), Some("the target answered a redirect, which is not followed"));

    desk.deliver(&delivery).await;
    let [dead] = desk.own_events(DELIVERY_DEAD).await.try_into().unwrap();
    assert_eq!((&dead["source"], &dead["data"]["hook"]), (&json!(format!("/routes/{route}")), &Value::Null));
    assert_eq!(dead["data"]["route"], json!({ "id": route, "name": "Tags" }));
    let told = json!({ "id": delivery, "event": attempts_event(&desk, &delivery).await, "reason": "attempts_used_up",
        "attempts": 4, "status": 503 });
    assert_eq!(dead["data"]["delivery"], told);

    // It is routed like any event; and what is dead of that makes no event again.
    desk.target.received();
    desk.dispatch().await;
    let notice = desk.one_sent().0;
    desk.target.answers([FAILS; 4]);
    for _ in 0..4 {
        desk.deliver(&notice).await;
        desk.sent();
        bundle.clock.advance(seconds(1400));
    }
    desk.assert_ended(&notice, DeliveryState::Dead, Some(Reason::AttemptsUsedUp), 4).await;
    assert_eq!(desk.own_events(DELIVERY_DEAD).await.len(), 1);
}

async fn attempts_event(desk: &Desk<'_>, delivery: &DeliveryId) -> String {
    desk.delivery(delivery).await.event.into()
}

#[tokio::test]
async fn a_target_that_asks_for_time_is_given_it() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    desk.target.answers([(429, &[("retry-after", "600")]), (503, &[("retry-after", "1")])] as [Scripted; 2]);
    let delivery = desk.one_delivery().await;
    desk.deliver(&delivery).await;
    let wait = desk.one_sent().1;
    assert!((600..=660).contains(&wait), "{wait}");
    bundle.clock.advance(seconds(660));
    desk.deliver(&delivery).await;
    let wait = desk.one_sent().1;
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
        let desk = Desk::of(&bundle).await;
        let route = desk.route(json!({})).await;
        let (first, second) = (desk.one_delivery().await, desk.one_delivery().await);
        desk.target.answers([answer]);
        desk.deliver(&first).await;
        desk.assert_ended(&first, state, reason, 1).await;
        assert!(!desk.stored_route(&route).await.unwrap().enabled);
        let [disabled] = desk.own_events(ROUTE_DISABLED).await.try_into().unwrap();
        assert_eq!(disabled["data"]["route"]["id"], json!(route), "nobody has to find out by the silence");
        desk.deliver(&second).await;
        desk.assert_ended(&second, DeliveryState::Skipped, Some(Reason::RouteDisabled), 0).await;
        desk.event().await;
        assert_eq!((desk.sent(), desk.target.received().len()), (vec![], 1));
    }
}

#[tokio::test]
async fn what_is_gone_is_not_delivered() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    let route = desk.route(json!({})).await;
    let [erased, expired, deleted] = [desk.one_delivery().await, desk.one_delivery().await, desk.one_delivery().await];
    let store = &desk.stage.app.store;
    let event = store.event(&erased.event()).await.unwrap().unwrap();
    let person = event.subscriber().unwrap();
    let gone = desk.stage.answer(Method::DELETE, &format!("/v1/subscribers/{person}"), "").await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    desk.deliver(&erased).await;
    desk.assert_ended(&erased, DeliveryState::Skipped, Some(Reason::PersonErased), 0).await;

    let event = store.event(&expired.event()).await.unwrap().unwrap();
    let table = &store.tables.events;
    let delete = format!("DELETE FROM \"{table}\" WHERE pk = '{}'", event.pk);
    store.client.execute_statement().statement(delete).send().await.unwrap();
    desk.deliver(&expired).await;
    desk.assert_ended(&expired, DeliveryState::Skipped, Some(Reason::EventExpired), 0).await;

    desk.stage.answer(Method::DELETE, &format!("/v1/routes/{route}"), "").await;
    desk.deliver(&deleted).await;
    desk.assert_ended(&deleted, DeliveryState::Skipped, Some(Reason::RouteDeleted), 0).await;
    desk.deliver(&format!("dlv_{}", "0".repeat(64)).parse().unwrap()).await;
    assert_eq!(desk.target.received().len(), 0);
}

#[tokio::test]
async fn an_expression_that_makes_nothing_of_an_event_ends_its_delivery() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({ "target": desk.webhook(json!({ "body": { "text": "data.nobody.name" } })) })).await;
    let delivery = desk.one_delivery().await;
    desk.deliver(&delivery).await;
    desk.assert_ended(&delivery, DeliveryState::Dead, Some(Reason::Unmappable), 1).await;
    let attempt = desk.delivery(&delivery).await.attempts.remove(0);
    assert!(attempt.status.is_none() && attempt.error.unwrap().starts_with("nothing was sent: `text`: "));
    assert_eq!(desk.own_events(DELIVERY_DEAD).await.len(), 1);
}

#[tokio::test]
async fn workers_at_one_delivery_end_as_one() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let delivery = desk.one_delivery().await;
    desk.target.says(500, "");
    join_all((0..5).map(|_| desk.deliver(&delivery))).await;
    assert_eq!(desk.sent().len(), 1, "one message follows");
    let delivered = desk.delivery(&delivery).await;
    assert_eq!((delivered.tried, delivered.attempts.len()), (1, 1));

    bundle.clock.advance(seconds(6));
    desk.target.says(202, "taken");
    join_all((0..5).map(|_| desk.deliver(&delivery))).await;
    desk.assert_ended(&delivery, DeliveryState::Succeeded, None, 2).await;
}

#[tokio::test]
async fn dispatching_again_starts_nothing_anew_and_mends_what_is_missing() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    desk.route(json!({})).await;
    let event = desk.event().await;
    let [(first, _), (second, _)] = desk.sent().try_into().unwrap();
    desk.deliver(&first).await;
    let delivered = desk.delivery(&first).await;

    // A stream's retry.
    let records = desk.stage.so_far().await;
    desk.stage.handle(&records).await;
    assert_eq!(desk.deliveries_of(&event).await, slice::from_ref(&delivered));
    assert_eq!(desk.sent().len(), 2, "a message that was lost is sent again, one too many does no harm");
    for id in [&first, &second] {
        desk.deliver(id).await;
    }
    assert_eq!((desk.target.received().len(), desk.delivery(&first).await), (2, delivered));
}

#[tokio::test]
async fn an_event_that_is_read_anew_is_not_delivered_anew() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    let event = desk.event().await;
    desk.route(json!({})).await;
    let remap = format!("/v1/hooks/{}/remap", desk.hook.id);
    let settings = json!({ "settings": { "mapping": { "tag": "/user/name" } } });
    desk.stage.answer(Method::PATCH, &format!("/v1/hooks/{}", desk.hook.id), settings.to_string()).await;
    let remapped = desk.stage.answer(Method::POST, &remap, "").await.json();
    assert_eq!(remapped["changed"], 1, "{remapped}");
    desk.dispatch().await;
    assert_eq!((desk.sent(), desk.deliveries_of(&event).await), (vec![], vec![]));
}

#[tokio::test]
async fn a_store_that_fails_loses_no_delivery() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.route(json!({})).await;
    let event = desk.stage.accept(&desk.hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    let records = desk.stage.so_far().await;
    desk.set_queue_down(true);
    for fault in [Fault::Unreached, Fault::Error(400, "ThrottlingException")] {
        let flaky = desk.stage.failing(RetryConfig::disabled(), move |operation, _| {
            if operation == "BatchExecuteStatement" { fault } else { Fault::None }
        });
        flaky.app.set_queue(std::sync::Arc::clone(&desk.queue) as _);
        let (failed, letters) = flaky.dispatch(&records).await;
        assert_eq!((failed.len(), letters.len()), (1, 0), "{fault:?}");
    }
    desk.set_queue_down(false);
    desk.stage.handle(&records).await;
    let (delivery, _) = desk.one_sent();

    // What came of an attempt can't be written: it is made again, and the receiver knows it by its id.
    let flaky = desk.stage.failing(RetryConfig::disabled(), |operation, _| {
        if operation == "BatchExecuteStatement" { Fault::Unreached } else { Fault::None }
    });
    desk.hand_over(&flaky.app, &delivery).await.unwrap_err();
    desk.deliver(&delivery).await;
    desk.assert_ended(&delivery, DeliveryState::Succeeded, None, 1).await;
    let ids: Vec<_> = desk.target.received().into_iter().map(|(headers, _)| headers["webhook-id"].clone()).collect();
    assert_eq!(ids, [event.as_str(), event.as_str()]);
}

#[tokio::test]
async fn a_message_that_was_lost_is_missed_after_an_hour() {
    let bundle = delivery_worker::bundle().await;
    let desk = Desk::of(&bundle).await;
    desk.queue.may_lose.store(true, Ordering::SeqCst);
    desk.route(json!({})).await;
    let delivery = desk.one_delivery().await;
    bundle.clock.advance(seconds(3_500));
    assert_eq!(due::sweep(&desk.stage.app).await.unwrap(), 0);
    bundle.clock.advance(seconds(100));
    assert_eq!(due::sweep(&desk.stage.app).await.unwrap(), 1);
    assert_eq!(desk.one_sent(), (delivery.clone(), 0));
    assert_eq!(due::sweep(&desk.stage.app).await.unwrap(), 0);
    desk.deliver(&delivery).await;
    desk.assert_ended(&delivery, DeliveryState::Succeeded, None, 1).await;
    bundle.clock.advance(seconds(10_000));
    assert_eq!(due::sweep(&desk.stage.app).await.unwrap(), 0);
    assert!(desk.own_events(ROUTE_FAILING).await.is_empty());
}
