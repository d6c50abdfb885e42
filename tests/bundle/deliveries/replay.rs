//! Events that are replayed: one, those of a span of time, and the deliveries that a span lacks.

use crate::support::{
    assertions::{make_key, pointers, refused, with_key},
    receiver::{Receiver, route, start, until_all, webhook_ids},
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use store::text;
use tests::{Bundle, TestHook, eventually, string};

fn tagged(n: usize, tag: &str) -> Value {
    json!({ "user": { "id": n, "bm_id": format!("{n}") }, "tag": tag })
}

fn replay_of(event: &str) -> String {
    format!("/v1/events/{event}/replay")
}

/// A span of time from the beginning until a day from now, with more fields.
fn span(bundle: &Bundle, fields: Value) -> Value {
    let mut span = json!({ "after": "2020-01-01T00:00:00Z", "before": bundle.local.app.now().plus_seconds(86_400) });
    span.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    span
}

async fn replay(bundle: &Bundle, fields: Value) -> Value {
    bundle.post("/v1/events/replay", &span(bundle, fields), 200).await
}

/// Answer to a replay, without its id.
fn counted(events: usize, deliveries: usize, delivered_before: usize) -> Value {
    json!({ "events": events, "deliveries": deliveries, "delivered_before": delivered_before, "next": null })
}

fn counts(answer: &Value) -> Value {
    let mut counts = answer.clone();
    counts.as_object_mut().unwrap().remove("replay");
    counts
}

#[tokio::test]
async fn an_event_is_delivered_once_more_under_its_webhook_id() {
    let (bundle, (receiver, url)) = (start("0").await, Receiver::start().await);
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &tagged(1, "vip")).await;
    bundle.until_count("/v1/subscribers", 1).await;
    let list = format!("/v1/deliveries?event={event}");
    assert_eq!(bundle.post(&replay_of(&event), &json!({}), 200).await["deliveries"], json!([]), "there is no route");
    let routes = [route(&bundle, "botstar.*", &url).await, route(&bundle, "*", &url).await];
    route(&bundle, "chatbot.*", &url).await;

    let both = bundle.post(&replay_of(&event), &json!({}), 200).await;
    let delivered = until_all(&bundle, &list, "succeeded", 2).await;
    let ids = |items: &[Value], field: &str| items.iter().map(|one| string(&one[field])).collect::<BTreeSet<_>>();
    let made: BTreeSet<String> = both["deliveries"].as_array().unwrap().iter().map(string).collect();
    assert_eq!((ids(&delivered, "id"), ids(&delivered, "route")), (made, routes.iter().cloned().collect()));
    assert!(delivered.iter().all(|delivery| delivery["replay"] == both["replay"]), "{delivered:?}");

    let body_less = bundle.request(Method::POST, &replay_of(&event));
    let again = tests::expect(body_less, 200).await;
    assert_ne!(again["replay"], both["replay"]);
    until_all(&bundle, &list, "succeeded", 4).await;
    let one = bundle.post(&replay_of(&event), &json!({ "route": routes[0] }), 200).await;
    assert_eq!(one["deliveries"].as_array().unwrap().len(), 1);
    until_all(&bundle, &list, "succeeded", 5).await;
    assert_eq!(ids(&bundle.all(&format!("{list}&route={}", routes[0])).await, "route").len(), 1);
    let received = receiver.received();
    assert_eq!(webhook_ids(&received), vec![event.clone(); 5]);
    assert!(received.iter().all(|(_, body)| *body == received[0].1), "the event is sent as it is each time");
}

#[tokio::test]
async fn an_event_that_can_not_be_replayed_is_left() {
    let (bundle, (receiver, url)) = (start("0").await, Receiver::start().await);
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &tagged(1, "vip")).await;
    let person = bundle.until_count("/v1/subscribers", 1).await.remove(0);
    let id = route(&bundle, "botstar.*", &url).await;
    let to = |body: Value| bundle.request(Method::POST, &replay_of(&event)).json(&body);

    let filtered = json!({ "filter": "data.tag == 'gold'" });
    bundle.patch(&format!("/v1/routes/{id}"), &filtered, 200).await;
    let answer = tests::expect(to(json!({ "route": id })), 200).await;
    assert_eq!(answer["deliveries"], json!([]), "it does not pass the filter");
    bundle.patch(&format!("/v1/routes/{id}"), &json!({ "filter": null, "enabled": false }), 200).await;
    refused(to(json!({ "route": id })), 409, "conflict").await;
    assert_eq!(tests::expect(to(json!({})), 200).await["deliveries"], json!([]), "the route is disabled");
    bundle.patch(&format!("/v1/routes/{id}"), &json!({ "enabled": true }), 200).await;

    refused(to(json!({ "route": format!("rt_{}", "0".repeat(26)) })), 404, "not_found").await;
    for (body, pointer) in [(json!({ "route": "x" }), "/route"), (json!({ "routes": [] }), "/routes")] {
        assert_eq!(pointers(&refused(to(body), 422, "invalid_body").await), [pointer]);
    }
    for gone in [format!("evt_{}", "0".repeat(42)), "x".to_owned()] {
        refused(bundle.request(Method::POST, &replay_of(&gone)), 404, "not_found").await;
    }
    for (scope, status, code) in [("read", 403, "forbidden"), ("operate", 422, "invalid_body")] {
        let (_, key) = make_key(&bundle, scope).await;
        let wrong = json!({ "nothing": 1 });
        for path in [replay_of(&event), "/v1/events/replay".to_owned()] {
            refused(with_key(&bundle, Method::POST, &path, &key).json(&wrong), status, code).await;
        }
    }
    bundle.delete(&format!("/v1/subscribers/{}", string(&person["id"])), 204).await;
    let problem = refused(to(json!({})), 409, "conflict").await;
    assert!(string(&problem["detail"]).contains("erased"), "{problem}");
    assert_eq!(counts(&replay(&bundle, json!({})).await), counted(0, 0, 0), "nor is it in a span");
    assert_eq!((receiver.received().len(), bundle.all("/v1/deliveries").await.len()), (0, 0));
}

/// Three events of one hook and two of another, each a second after the one before; the hooks, the events, their times.
async fn five(bundle: &Bundle) -> ([TestHook; 2], Vec<String>, Vec<String>) {
    let hooks = [bundle.hook("botstar.watch-tag").await, bundle.hook("botmother.watch-request").await];
    let (mut events, mut times) = (Vec::new(), Vec::new());
    for n in 0..5 {
        let hook = &hooks[usize::from(n > 2)];
        let answer = bundle.send(&hook.url, tagged(n, "vip").to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let event = answer.headers["x-switchboard-event"].to_str().unwrap().to_owned();
        times.push(string(&bundle.get(&format!("/v1/events/{event}"), 200).await["time"]));
        events.push(event);
        bundle.clock.advance(Duration::from_secs(1));
    }
    // They are dispatched: a route that is made now gets none of them.
    bundle.until_count("/v1/subscribers", 5).await;
    (hooks, events, times)
}

#[tokio::test]
async fn the_events_of_a_span_are_counted_and_replayed() {
    let (bundle, (receiver, url)) = (start("0").await, Receiver::start().await);
    let (hooks, events, times) = five(&bundle).await;
    let routes = [route(&bundle, "botstar.*", &url).await, route(&bundle, "*", &url).await];
    let dry = json!({ "dry_run": true });
    let answer = replay(&bundle, dry.clone()).await;
    assert_eq!((&answer["replay"], counts(&answer)), (&Value::Null, counted(5, 8, 0)));
    for (fields, expected) in [
        (json!({ "hook": hooks[0].id }), counted(3, 6, 0)),
        (json!({ "hook": hooks[1].id }), counted(2, 2, 0)),
        (json!({ "type": "botmother.request.received" }), counted(2, 2, 0)),
        (json!({ "type": "botmother" }), counted(0, 0, 0)),
        (json!({ "type": "*.tag.*" }), counted(3, 6, 0)),
        (json!({ "route": routes[0] }), counted(3, 3, 0)),
        (json!({ "route": routes[1], "hook": hooks[1].id }), counted(2, 2, 0)),
        (json!({ "after": times[0] }), counted(4, 6, 0)),
        (json!({ "before": times[1] }), counted(1, 2, 0)),
        (json!({ "after": times[0], "before": times[4] }), counted(3, 5, 0)),
    ] {
        let mut fields = fields;
        fields["dry_run"] = json!(true);
        assert_eq!(counts(&replay(&bundle, fields.clone()).await), expected, "{fields}");
    }
    assert_eq!(bundle.all("/v1/deliveries").await.len(), 0, "so far nothing was made");

    let first = replay(&bundle, json!({ "after": times[0], "before": times[4] })).await;
    assert_eq!(counts(&first), counted(3, 5, 0));
    let made = until_all(&bundle, "/v1/deliveries", "succeeded", 5).await;
    assert!(made.iter().all(|delivery| delivery["replay"] == first["replay"]), "{made:?}");
    let seen: BTreeSet<String> = webhook_ids(&receiver.received()).into_iter().collect();
    assert_eq!(seen, events[1..4].iter().cloned().collect());
    assert_eq!(counts(&replay(&bundle, dry).await), counted(5, 8, 5));
    assert_eq!(counts(&replay(&bundle, json!({ "route": routes[0] })).await), counted(3, 3, 2));
    until_all(&bundle, "/v1/deliveries", "succeeded", 8).await;
    let all = replay(&bundle, json!({})).await;
    assert_eq!(counts(&all), counted(5, 8, 6));
    until_all(&bundle, "/v1/deliveries", "succeeded", 16).await;
    let of_type = |pattern: &str| format!("/v1/events?type={pattern}");
    for (pattern, count) in [("botstar.tag.added", 3), ("botstar.*", 3), ("*", 5), ("botstar", 0)] {
        assert_eq!(bundle.all(&of_type(pattern)).await.len(), count, "{pattern}");
    }
}

/// Takes a delivery out of the table, as if it had never been made.
async fn remove(bundle: &Bundle, delivery: &Value) {
    let (store, key) = (&bundle.local.app.store, |field: &str| text(string(&delivery[field])));
    let delete = store.client.delete_item().table_name(&store.tables.deliveries);
    delete.key("pk", key("event")).key("sk", key("id")).send().await.unwrap();
}

#[tokio::test]
async fn only_what_is_missing_is_made() {
    let (bundle, (receiver, url)) = (start("0").await, Receiver::start().await);
    let early = route(&bundle, "botstar.*", &url).await;
    let (_, events, times) = five(&bundle).await;
    let made = until_all(&bundle, "/v1/deliveries", "succeeded", 3).await;
    let late = route(&bundle, "*", &url).await;
    receiver.received();
    let missing = json!({ "missing_only": true });
    assert_eq!(counts(&replay(&bundle, missing.clone()).await), counted(3, 0, 3), "nothing is missing");

    let lost = made.iter().find(|delivery| delivery["event"] == events[1].as_str()).unwrap();
    remove(&bundle, lost).await;
    assert_eq!(
        counts(&replay(&bundle, missing.clone()).await),
        counted(3, 0, 2),
        "its message may still be in the queue"
    );
    bundle.clock.advance(Duration::from_secs(3_601));
    for (fields, expected) in [
        (json!({ "missing_only": true, "dry_run": true }), counted(3, 1, 2)),
        (json!({ "missing_only": true, "route": late }), counted(0, 0, 0)),
        (json!({ "missing_only": true, "after": times[1] }), counted(1, 0, 1)),
        (missing.clone(), counted(3, 1, 2)),
        (missing.clone(), counted(3, 0, 3)),
        (json!({ "missing_only": true, "route": early }), counted(3, 0, 3)),
    ] {
        let answer = replay(&bundle, fields.clone()).await;
        assert_eq!((&answer["replay"], counts(&answer)), (&Value::Null, expected), "{fields}");
        if fields == missing {
            until_all(&bundle, "/v1/deliveries", "succeeded", 3).await;
        }
    }
    let again = bundle.get(&format!("/v1/deliveries/{}", string(&lost["id"])), 200).await;
    assert_eq!((&again["route"], &again["replay"]), (&json!(early), &Value::Null));
    assert_eq!(webhook_ids(&receiver.received()), [events[1].clone()]);

    // A delivery of that age may have succeeded and expired since.
    remove(&bundle, lost).await;
    bundle.clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(counts(&replay(&bundle, missing).await), counted(0, 0, 0));
    assert_eq!(counts(&replay(&bundle, json!({ "dry_run": true, "route": early })).await), counted(3, 3, 2));
}

#[tokio::test]
async fn a_replay_goes_on_where_it_ended_and_a_repeated_call_makes_nothing_twice() {
    const MANY: usize = 510;
    let (bundle, (_, url)) = (start("0").await, Receiver::start().await);
    let hook = bundle.hook("botstar.watch-tag").await;
    for first in (0..MANY).step_by(30) {
        join_all((first..first + 30).map(|n| {
            let (bundle, hook) = (&bundle, &hook);
            async move { bundle.accept(hook, &tagged(n, "vip")).await }
        }))
        .await;
    }
    bundle.until_count("/v1/subscribers", MANY).await;
    bundle.clock.advance(Duration::from_secs(1));
    let id = route(&bundle, "botstar.*", &url).await;
    let whole = span(&bundle, json!({}));
    let first = bundle.post("/v1/events/replay", &whole, 200).await;
    assert_eq!((&first["events"], &first["deliveries"]), (&json!(500), &json!(500)));
    let rest = format!("/v1/events/replay?cursor={}", string(&first["next"]));
    for (field, value) in [("dry_run", json!(true)), ("hook", json!(hook.id))] {
        let mut other = whole.clone();
        other[field] = value;
        let request = bundle.request(Method::POST, &rest).json(&other);
        assert_eq!(pointers(&refused(request, 422, "invalid_query").await), ["cursor"], "it is of another span");
    }
    let second = bundle.post(&rest, &whole, 200).await;
    assert_eq!((&second["replay"], counts(&second)), (&first["replay"], counted(MANY - 500, MANY - 500, 0)));
    let repeated = bundle.post(&rest, &whole, 200).await;
    assert_eq!((&repeated["replay"], &repeated["deliveries"]), (&first["replay"], &json!(0)));
    let made = until_all(&bundle, &format!("/v1/deliveries?route={id}"), "succeeded", MANY).await;
    let of: BTreeSet<String> = made.iter().map(|delivery| string(&delivery["event"])).collect();
    assert_eq!(of.len(), MANY, "each event once");
}

#[tokio::test]
async fn the_products_own_events_are_replayed() {
    let (bundle, (bad, lost), (receiver, url)) = (start("0").await, Receiver::start().await, Receiver::start().await);
    bad.says(500, "no");
    route(&bundle, "botstar.*", &lost).await;
    let own = route(&bundle, "switchboard.*", &url).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    bundle.accept(&hook, &tagged(1, "vip")).await;
    let list = format!("/v1/deliveries?route={own}");
    let reported = until_all(&bundle, &list, "succeeded", 1).await.remove(0);
    let event = string(&reported["event"]);
    bundle.post(&replay_of(&event), &json!({}), 200).await;
    until_all(&bundle, &list, "succeeded", 2).await;
    assert_eq!(counts(&replay(&bundle, json!({ "type": "switchboard.*" })).await), counted(1, 1, 1));
    eventually(|| async { (bundle.all(&format!("{list}&state=succeeded")).await.len() == 3).then_some(()) }).await;
    assert_eq!(webhook_ids(&receiver.received()), vec![event; 3]);
}

#[tokio::test]
async fn every_fault_of_a_span_has_its_pointer() {
    let (bundle, (_, url)) = (start("0").await, Receiver::start().await);
    let send = |body: &Value| bundle.request(Method::POST, "/v1/events/replay").json(body);
    for (body, expected) in [
        (json!({}), &["/after", "/before"] as &[&str]),
        (json!({ "after": "now", "before": 1 }), &["/after", "/before"]),
        (span(&bundle, json!({ "before": "2019-12-31T00:00:00Z" })), &["/before"]),
        (span(&bundle, json!({ "hook": "x", "route": "y", "type": 1 })), &["/hook", "/route", "/type"]),
        (span(&bundle, json!({ "dry_run": "yes", "missing": true })), &["/dry_run", "/missing"]),
        (span(&bundle, json!({ "hook": "hook_1" })), &["/hook"]),
    ] {
        assert_eq!(pointers(&refused(send(&body), 422, "invalid_body").await), expected, "{body}");
    }
    refused(bundle.request(Method::POST, "/v1/events/replay"), 400, "bad_json").await;
    let cursor = bundle.request(Method::POST, "/v1/events/replay?cursor=x").json(&span(&bundle, json!({})));
    assert_eq!(pointers(&refused(cursor, 422, "invalid_query").await), ["cursor"]);
    let missing = span(&bundle, json!({ "route": format!("rt_{}", "0".repeat(26)) }));
    refused(send(&missing), 404, "not_found").await;
    let id = route(&bundle, "*", &url).await;
    bundle.patch(&format!("/v1/routes/{id}"), &json!({ "enabled": false }), 200).await;
    refused(send(&span(&bundle, json!({ "route": id }))), 409, "conflict").await;
}
