//! Events that dispatch set aside or gave up, and their redispatch.

use crate::support::{
    assertions::{make_key, pointers, refused, with_key},
    harness::{Fault, Harness},
    target::route_to,
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use models::records::StoredTakeover;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Bundle, TestHook, answer, string};

const ON_LAPTOP: (&str, &str) = ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8");
const NOTHING: [u64; 3] = [0, 0, 0];

/// Posts to a route of the API; the answer.
async fn post(harness: &Harness<'_>, path: &str, body: Value) -> Value {
    let answer = harness.answer(Method::POST, path, body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Redispatches all events of the harness; folded people, takeovers and deliveries.
async fn redispatch(harness: &Harness<'_>, dry_run: bool) -> [u64; 3] {
    let span = json!({ "after": "2020-01-01T00:00:00Z", "before": "2100-01-01T00:00:00Z", "dry_run": dry_run });
    made(&post(harness, "/v1/events/redispatch", span).await)
}

fn made(answer: &Value) -> [u64; 3] {
    assert!(answer["next"].is_null(), "{answer}");
    ["folded", "takeovers", "deliveries"].map(|name| answer[name].as_u64().unwrap())
}

async fn takeover(harness: &Harness<'_>, hook: &TestHook, id: &str, reason: &str) -> String {
    let event = harness.accept(hook, &json!({ "user": { "id": id, "name": "Ava" }, "reason": reason })).await;
    harness.bundle.clock.advance(Duration::from_millis(5));
    event
}

async fn reasons(harness: &Harness<'_>) -> Vec<Value> {
    harness.all("/v1/takeovers").await.iter().map(|one| one["reason"].clone()).collect()
}

#[tokio::test]
async fn an_event_that_was_set_aside_is_dispatched_again_by_the_id_in_its_dead_letter() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    for (id, reason) in [("u-1", "first"), ("u-2", "refused")] {
        takeover(&harness, &hook, id, reason).await;
    }
    let refusing = harness.failing(RetryConfig::disabled(), |_, body| {
        if body.contains("refused") { Fault::Error(400, "ValidationException") } else { Fault::None }
    });
    let (failed, letters) = refusing.dispatch(&harness.stream(2).await).await;
    assert!(failed.is_empty() && letters.len() == 1, "{failed:?} {letters:?}");
    assert_eq!(reasons(&harness).await, ["first"]);
    let path = format!("/v1/events/{}/redispatch", letters[0].event);
    let dry = post(&harness, &path, json!({ "dry_run": true })).await;
    assert_eq!(dry, json!({ "events": 1, "folded": 1, "takeovers": 1, "deliveries": 0, "next": null }));
    assert_eq!(reasons(&harness).await, ["first"], "a dry run changes nothing");
    assert_eq!(post(&harness, &path, json!({})).await, dry);
    assert_eq!(reasons(&harness).await, ["refused", "first"]);
    assert_eq!(harness.all("/v1/subscribers").await.len(), 2);
    assert_eq!(made(&post(&harness, &path, json!({})).await), NOTHING, "never more than once");
}

#[tokio::test]
async fn a_batch_that_was_given_up_is_dispatched_again_by_its_span() {
    let bundle = Bundle::start_with(&[ON_LAPTOP]).await;
    bundle.clock.hold();
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    let older = route_to(&bundle, "botstar.*", "http://127.0.0.1:9/older").await;
    bundle.clock.advance(Duration::from_secs(1));
    for n in 0..90 {
        takeover(&harness, &hook, &format!("u-{}", n % 40), &format!("reason {n}")).await;
    }
    bundle.clock.advance(Duration::from_secs(1));
    route_to(&bundle, "botstar.*", "http://127.0.0.1:9/younger").await;
    let dry = redispatch(&harness, true).await;
    assert_eq!(dry, [40, 90, 90], "deliveries are only to the older route");
    assert_eq!(reasons(&harness).await.len() + harness.all("/v1/subscribers").await.len(), 0);
    assert_eq!(redispatch(&harness, false).await, dry);
    let deliveries = harness.answer(Method::GET, "/v1/deliveries?limit=100", "").await.json();
    let items = deliveries["items"].as_array().unwrap();
    assert!(!items.is_empty() && items.iter().all(|one| one["route"] == older["id"]), "only to the older route");
    assert_eq!(harness.all("/v1/subscribers").await.len(), 40);
    assert_eq!(redispatch(&harness, false).await, NOTHING);
    let redispatched = harness.records().await;
    harness.handle(&harness.so_far().await).await;
    assert_eq!(harness.records().await, redispatched, "dispatch itself has nothing to add");
}

#[tokio::test]
async fn a_redispatch_leaves_changed_takeovers_and_erased_people_as_they_are() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    let claimed = takeover(&harness, &hook, "u-1", "claimed").await;
    let erased = takeover(&harness, &hook, "u-2", "erased").await;
    harness.handle(&harness.stream(2).await).await;
    let id = claimed.replace("evt_", "tko_");
    let change = harness.answer(Method::PATCH, &format!("/v1/takeovers/{id}"), r#"{"state":"claimed"}"#).await;
    assert_eq!(change.status, 200);
    let person = string(&harness.answer(Method::GET, &format!("/v1/events/{erased}"), "").await.json()["subject"]);
    let late = takeover(&harness, &hook, "u-2", "late").await;
    let erase = harness.answer(Method::DELETE, &format!("/v1/subscribers/{person}"), "").await;
    assert_eq!(erase.status, 204);
    let before = harness.records().await;
    assert_eq!(redispatch(&harness, false).await, NOTHING);
    for event in [&erased, &late] {
        let answer = post(&harness, &format!("/v1/events/{event}/redispatch"), json!({})).await;
        assert_eq!(answer["events"], 0, "an erased event is skipped");
    }
    assert_eq!(harness.records().await, before);
    let kept: StoredTakeover = harness.app.store.record(&id).await.unwrap().unwrap();
    assert_eq!(kept.into_takeover().state.as_str(), "claimed");
}

#[tokio::test]
async fn people_and_takeovers_go_on_where_only_the_routes_can_not_be_read() {
    let bundle = Bundle::start_with(&[ON_LAPTOP]).await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    for id in ["u-1", "u-2"] {
        takeover(&harness, &hook, id, id).await;
    }
    route_to(&bundle, "botstar.*", "http://127.0.0.1:9/").await;
    let records = harness.stream(2).await;
    let control = bundle.local.app.config.tables.control.clone();
    let without_routes = harness.failing(RetryConfig::disabled(), move |operation, body| {
        if operation == "Query" && body.contains(&control) { Fault::Unreached } else { Fault::None }
    });
    let (failed, letters) = without_routes.dispatch(&records).await;
    assert_eq!((failed.len(), letters.len()), (2, 0), "the batch comes again for its deliveries");
    assert_eq!(reasons(&harness).await, ["u-2", "u-1"]);
    assert_eq!(harness.all("/v1/subscribers").await.len(), 2);
    harness.handle(&records).await;
    assert_eq!(harness.answer(Method::GET, "/v1/deliveries", "").await.json()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_record_that_has_no_room_for_all_comes_to_rest() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-tag").await;
    harness.accept(&hook, &json!({ "user": { "id": "u-1", "note": "z".repeat(200_000) }, "tag": "t" })).await;
    assert_eq!(redispatch(&harness, false).await, [1, 0, 0]);
    assert_eq!(redispatch(&harness, true).await, NOTHING);
    assert_eq!(redispatch(&harness, false).await, NOTHING);
}

#[tokio::test]
async fn a_lost_remap_is_made_good() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-tag").await;
    harness.accept(&hook, &json!({ "user": { "id": "u-1", "name": "wrong", "nick": "right" }, "tag": "t" })).await;
    harness.handle(&harness.stream(1).await).await;
    let mapping = json!({ "settings": { "mapping": { "subscriber.name": "/user/nick", "tag": "/nothing" } } });
    bundle.patch(&format!("/v1/hooks/{}", hook.id), &mapping, 200).await;
    let remapped = post(&harness, &format!("/v1/hooks/{}/remap", hook.id), json!({})).await;
    assert_eq!(remapped["changed"], 1);
    assert_eq!(redispatch(&harness, true).await, [1, 0, 0]);
    assert_eq!(redispatch(&harness, false).await, [1, 0, 0]);
    let person = harness.all("/v1/subscribers").await.remove(0);
    assert_eq!((&person["name"], &person["tags"]), (&json!("right"), &json!([])));
    assert_eq!(redispatch(&harness, false).await, NOTHING);
}

#[tokio::test]
async fn an_event_that_is_remapped_or_erased_while_it_is_redispatched_brings_nobody_back() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    let remapped = takeover(&harness, &hook, "u-1", "remapped").await;
    let scrubbed = harness.accept(&hook, &json!({ "reason": "of nobody" })).await;
    let store = &harness.app.store;
    let mut read = Vec::new();
    for id in [&remapped, &scrubbed] {
        read.push(store.event(&id.parse().unwrap()).await.unwrap().unwrap());
    }
    let mapping = json!({ "settings": { "mapping": { "subscriber.id": "/reason" } } });
    bundle.patch(&format!("/v1/hooks/{}", hook.id), &mapping, 200).await;
    post(&harness, &format!("/v1/hooks/{}/remap", hook.id), json!({})).await;
    store.scrub(store.event(&scrubbed.parse().unwrap()).await.unwrap().unwrap(), harness.app.now()).await.unwrap();
    harness.handle(&harness.so_far().await).await;
    let before = harness.records().await;
    for event in &read {
        flow::dispatch::redispatch(&harness.app, &[event.open().unwrap()], false).await.unwrap();
    }
    assert_eq!(harness.records().await, before);
}

#[tokio::test]
async fn one_event_that_can_not_be_redispatched_does_not_keep_its_persons_others() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-human-takeover").await;
    for reason in ["first", "refused", "last"] {
        takeover(&harness, &hook, "u-1", reason).await;
    }
    let refusing = harness.failing(RetryConfig::disabled(), |_, body| {
        if body.contains("refused") { Fault::Error(400, "ValidationException") } else { Fault::None }
    });
    assert_eq!(redispatch(&refusing, false).await[0], 1);
    assert_eq!(reasons(&harness).await, ["last", "first"]);
    assert_eq!(redispatch(&harness, false).await, [0, 1, 0]);
}

#[tokio::test]
async fn a_redispatch_takes_the_scope_operate_and_a_right_span() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "t" })).await;
    let (_, operate) = make_key(&bundle, "operate").await;
    let (_, read) = make_key(&bundle, "read").await;
    let path = format!("/v1/events/{event}/redispatch");
    assert_eq!(answer(with_key(&bundle, Method::POST, &path, &operate)).await.status, 200);
    refused(with_key(&bundle, Method::POST, &path, &read), 403, "forbidden").await;
    let nobody = format!("/v1/events/{}/redispatch", event.replace("evt_0", "evt_1"));
    refused(bundle.request(Method::POST, &nobody), 404, "not_found").await;
    for (body, at) in [
        (json!({ "before": "2026-01-01T00:00:00Z" }), "/after"),
        (json!({ "after": "2026-01-02T00:00:00Z", "before": "2026-01-01T00:00:00Z" }), "/before"),
        (json!({ "after": "x", "before": "2026-01-01T00:00:00Z" }), "/after"),
        (
            json!({ "after": "2025-01-02T00:00:00Z", "before": "2026-01-01T00:00:00Z", "missing_only": true }),
            "/missing_only",
        ),
    ] {
        let problem =
            refused(bundle.request(Method::POST, "/v1/events/redispatch").json(&body), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), [at], "{problem}");
    }
}
