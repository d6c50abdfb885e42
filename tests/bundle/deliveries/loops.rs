//! Routes to their own hooks: each delivery carries its hops, and a loop ends.

use crate::support::{
    delivery_worker::{self, DeliveryWorker, FAILS},
    receiver::{self, Receiver, until_all},
};
use models::{DeliveryState, EventId, delivery::Reason, own_event::DELIVERY_DEAD};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::{Api, Bundle, TestHook, answer, string};

const HOPS: &str = "switchboard-hops";

async fn route_to(bundle: &Bundle, events: &str, hook: Option<&str>, url: &str) -> String {
    let target = json!({ "type": "webhook", "url": url });
    let route = json!({ "name": "Demo", "events": [events], "hook": hook, "target": target });
    string(&bundle.post("/v1/routes", &route, 201).await["id"])
}

async fn looping(bundle: &Bundle) -> TestHook {
    bundle.hook_with("botmother.watch-request", json!({ "dedupe_seconds": 0 })).await
}

/// Sends a body with the hops of a caller; the event's id.
async fn send(api: &Api, hook: &TestHook, hops: Option<&str>) -> String {
    let path = hook.url.strip_prefix(&api.url).unwrap();
    let request = api.request(Method::POST, path).body(r#"{"user":{"id":"u-1"},"tag":"vip","text":"hi"}"#);
    let request = hops.into_iter().fold(request, |request, hops| request.header(HOPS, hops));
    let sent = answer(request).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    sent.headers["x-switchboard-event"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_route_to_its_own_hook_ends_after_eight_more_events() {
    let bundle = receiver::start("0").await;
    let hook = looping(&bundle).await;
    let route = route_to(&bundle, "botmother.*", Some(&hook.id), &hook.url).await;
    send(&bundle, &hook, None).await;
    let [dead] = until_all(&bundle, "/v1/deliveries?state=dead", "dead", 1).await.try_into().unwrap();
    assert_eq!((&dead["reason"], &dead["route"]), (&json!("loop"), &json!(route)));
    let [attempt] = dead["attempts"].as_array().unwrap().as_slice() else { panic!("{dead}") };
    assert_eq!((&attempt["status"], &attempt["body"]), (&Value::Null, &Value::Null));
    let error = attempt["error"].as_str().unwrap();
    assert_eq!(error, "nothing was sent: the event passed through more than 8 routes in a row");
    until_all(&bundle, "/v1/deliveries?state=succeeded", "succeeded", 9).await;
    let events = bundle.all("/v1/events").await;
    let own = events.iter().filter(|event| event["type"] == DELIVERY_DEAD).count();
    assert_eq!((events.len() - own, own), (10, 1));
    assert!(events.iter().all(|event| !event.to_string().contains("hops")), "it stands beside the envelope");
}

#[tokio::test]
async fn two_routes_to_each_others_hooks_end_and_so_do_two_to_one_hook() {
    let bundle = receiver::start("0").await;
    let hooks = [looping(&bundle).await, looping(&bundle).await];
    let events = "botmother.request.received";
    route_to(&bundle, events, Some(&hooks[0].id), &hooks[1].url).await;
    route_to(&bundle, events, Some(&hooks[1].id), &hooks[0].url).await;
    send(&bundle, &hooks[0], None).await;
    until_all(&bundle, "/v1/deliveries?state=dead", "dead", 1).await;
    assert_eq!(bundle.all(&format!("/v1/events?type={events}")).await.len(), 10);

    let bundle = receiver::start("0").await;
    let hook = looping(&bundle).await;
    let both = [route_to(&bundle, events, None, &hook.url).await, route_to(&bundle, events, None, &hook.url).await];
    send(&bundle, &hook, Some("6")).await;
    // Events with 6, 7, 8 and 9 hops: 1, 2, 4 and 8 of them, each for two routes.
    let dead = until_all(&bundle, "/v1/deliveries?state=dead", "dead", 16).await;
    assert!(dead.iter().all(|delivery| delivery["reason"] == "loop" && both.contains(&string(&delivery["route"]))));
    assert_eq!(bundle.all(&format!("/v1/events?type={events}")).await.len(), 15);
}

#[tokio::test]
async fn a_delivery_carries_the_hops_of_its_event_and_one() {
    let bundle = receiver::start("0").await;
    let (receiver, url) = Receiver::start().await;
    let hook = looping(&bundle).await;
    route_to(&bundle, "*", None, &url).await;
    let many = "9".repeat(100);
    let cases = [
        (None, Some("1")),
        (Some("1"), Some("2")),
        (Some("7"), Some("8")),
        (Some("8"), Some("9")),
        (Some("0"), Some("1")),
        (Some("007"), Some("8")),
        (Some(""), Some("1")),
        (Some("many"), Some("1")),
        (Some("-3"), Some("1")),
        (Some("+3"), Some("1")),
        (Some("3.5"), Some("1")),
        (Some("0x3"), Some("1")),
        (Some("3, 4"), Some("5")),
        (Some("4,3,x"), Some("5")),
        (Some("1, 9"), None),
        (Some("9"), None),
        (Some("255"), None),
        (Some("256"), None),
        (Some(many.as_str()), None),
    ];
    for (hops, carried) in cases {
        let event = send(&bundle, &hook, hops).await;
        let list = format!("/v1/deliveries?event={event}");
        match carried {
            Some(carried) => {
                until_all(&bundle, &list, "succeeded", 1).await;
                let received = receiver.received();
                let of_event = received.iter().find(|(headers, _)| headers["webhook-id"] == event.as_str()).unwrap();
                assert_eq!(of_event.0[HOPS], carried, "{hops:?}");
            }
            None => {
                let [dead] = until_all(&bundle, &list, "dead", 1).await.try_into().unwrap();
                assert_eq!(dead["reason"], "loop", "{hops:?}");
            }
        }
    }
}

#[tokio::test]
async fn hops_are_no_content_and_stay_with_an_event() {
    let bundle = receiver::start("0").await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let (first, again) = (send(&bundle, &hook, Some("3")).await, send(&bundle, &hook, Some("5")).await);
    assert_eq!(first, again, "the same body with other hops is a duplicate");
    let store = &bundle.local.app.store;
    let hops = async |id: &str| store.event(&id.parse::<EventId>().unwrap()).await.unwrap().unwrap().hops;
    assert_eq!(hops(&first).await, 3);
    let mapping = json!({ "settings": { "mapping": { "subscriber.name": "/tag" } } });
    bundle.patch(&format!("/v1/hooks/{}", hook.id), &mapping, 200).await;
    assert_eq!(bundle.post(&format!("/v1/hooks/{}/remap", hook.id), &json!({}), 200).await["changed"], 1);
    assert_eq!(hops(&first).await, 3);
    let person = string(&bundle.until_count("/v1/subscribers", 1).await[0]["id"]);
    bundle.delete(&format!("/v1/subscribers/{person}"), 204).await;
    assert_eq!(hops(&first).await, 3);
}

#[tokio::test]
async fn a_dead_letters_own_event_continues_its_hops() {
    let bundle = receiver::start("0").await;
    let (dead, url) = Receiver::start().await;
    dead.answers(vec![FAILS; 100]);
    dead.says(500, "no");
    let hook = looping(&bundle).await;
    route_to(&bundle, "botmother.*", None, &url).await;
    route_to(&bundle, DELIVERY_DEAD, None, &hook.url).await;
    send(&bundle, &hook, None).await;
    // Each event is dead, and that is an event, which is sent to the hook and is an event again.
    let settled = tests::eventually(|| async {
        let dead = bundle.all("/v1/deliveries?state=dead").await;
        dead.iter().any(|delivery| delivery["reason"] == "loop").then_some(dead)
    })
    .await;
    let reasons: BTreeSet<String> = settled.iter().map(|delivery| string(&delivery["reason"])).collect();
    assert_eq!(reasons, ["attempts_used_up", "loop"].map(str::to_owned).into());
    assert_eq!(bundle.all("/v1/events?type=botmother.*").await.len(), 10);
}

#[tokio::test]
async fn an_event_of_a_loop_runs_no_action_and_is_shown_with_its_hops() {
    let bundle = delivery_worker::bundle().await;
    let worker = DeliveryWorker::of(&bundle).await;
    let connection = bundle.connection("chatbot").await;
    let input = json!({ "user_id": "data.subscriber.platform_id" });
    let target = json!({ "type": "action", "action": "chatbot.get-user", "connection": connection, "input": input });
    worker.route(json!({ "target": target })).await;
    let delivery = worker.one_delivery().await;
    let store = &worker.harness.app.store;
    let mut event = store.event(&delivery.event()).await.unwrap().unwrap();
    (event.hops, event.rev) = (9, event.rev + 1);
    store.revise(&event).await.unwrap();
    worker.deliver(&delivery).await;
    worker.assert_ended(&delivery, DeliveryState::Dead, Some(Reason::Loop), 1).await;
    assert_eq!(worker.actions.calls(), []);
    let plain = worker.route(json!({})).await;
    let trial = json!({ "event": delivery.event() }).to_string();
    let tried = worker.harness.answer(Method::POST, &format!("/v1/routes/{plain}/test"), trial).await.json();
    assert_eq!(tried["request"]["headers"][HOPS], "10", "{tried}");
}
