//! ChatBot's deliveries: read in both shapes, taken once, and refused without the right token.

use crate::support::{
    assertions::{problem, received, rejected},
    chatbot_hooks::{TRIGGER, path, start, token},
    harness::{Fault as StoreFault, Harness},
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use futures::future::join_all;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tests::{Answer, Bundle, TestHook, sandbox::Sandbox, string};

/// A body of the present API, or nearly one.
fn message(id: &Value, more: &str) -> String {
    json!({
        "chatId": "c-1", "messageId": id, "userId": "u-1", "externalId": "e-1",
        "node": { "id": "n-1", "name": "Order", "type": "WEBHOOK" },
        "userAttributes": { "default_name": "Ava" }, "attributes": { "more": more },
    })
    .to_string()
}

fn legacy(text: &str) -> String {
    json!({
        "conversationId": "c-1", "sessionId": "s-1", "timestamp": "2026-01-01 00:00:00.000Z", "status": { "code": 200 },
        "result": {
            "resolvedQuery": text, "interaction": { "id": "i-1", "name": "Order" },
            "parameters": { "size": "L" }, "sessionParameters": { "plan": "gold" },
        },
    })
    .to_string()
}

/// The id of the event that an answer is about.
fn event(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(answer.json()["responses"].is_array(), "{}", answer.text);
    answer.headers["x-switchboard-event"].to_str().unwrap().to_owned()
}

async fn listed(bundle: &Bundle) -> Vec<String> {
    bundle.all("/v1/events").await.iter().map(|event| string(&event["id"])).collect()
}

#[tokio::test]
async fn a_message_becomes_an_event_and_a_subscriber() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let said =
        sandbox.say(json!({ "text": "A latte", "attributes": { "product": "Latte" }, "message_id": "m-1" })).await;
    assert_eq!((&said[0]["status"], &said[0]["body"]), (&json!(200), &json!({ "responses": [], "attributes": {} })));
    let user = sandbox.users()[0].clone();
    let [event] = bundle.all("/v1/events").await.try_into().unwrap();
    let data = &event["data"];
    let raw = &data["raw"];
    assert_eq!(event["type"], "chatbot.message.received");
    assert_eq!(data["message"], json!({ "id": "m-1", "chat_id": raw["chatId"], "text": null }));
    assert_eq!((&data["node"], &data["node"]["type"]), (&raw["node"], &json!("WEBHOOK")));
    assert_eq!(data["attributes"], json!({ "product": "Latte", "text": "A latte" }));
    assert_eq!(data["unmapped"], json!([]));
    let reported = json!({
        "id": event["subject"], "platform": "chatbot", "connection": hook.connection, "platform_id": user["id"],
        "name": "Ava", "first_name": null, "last_name": null, "email": "ava@example.com", "phone": null,
        "channel": null, "locale": null, "timezone": null, "picture": null, "tags": [],
        "attributes": { "plan": "gold", "external_id": user["userId"] },
        "platform_user": data["subscriber"]["platform_user"], "first_seen": null, "last_seen": null,
    });
    assert_eq!(data["subscriber"], reported);
    let [mut person] = bundle.until_count("/v1/subscribers", 1).await.try_into().unwrap();
    for seen in ["first_seen", "last_seen"] {
        assert_eq!(person[seen].take(), event["time"]);
    }
    assert_eq!(person, reported);
}

#[tokio::test]
async fn every_field_that_chatbot_documents_of_a_user_is_read() {
    let (_sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let attributes = json!({
        "default_name": "Ava Chen", "default_email": "ava@example.com", "default_language": "en",
        "default_timezone": "Europe/Paris", "default_avatar": "https://example.com/a.png", "default_city": "Paris",
        "plan": "gold", "none": null,
    });
    let body = json!({ "chatId": "c", "messageId": "m", "userId": "u", "node": {}, "userAttributes": attributes });
    let id = event(&bundle.send(&hook.url, body.to_string()).await);
    let subscriber = bundle.get(&format!("/v1/events/{id}"), 200).await["data"]["subscriber"].clone();
    for (field, value) in [
        ("name", "Ava Chen"),
        ("email", "ava@example.com"),
        ("locale", "en"),
        ("timezone", "Europe/Paris"),
        ("picture", "https://example.com/a.png"),
    ] {
        assert_eq!(subscriber[field], value);
    }
    assert_eq!(subscriber["attributes"], json!({ "default_city": "Paris", "plan": "gold" }));
}

#[tokio::test]
async fn every_sample_is_a_message_of_its_own_as_the_module_states() {
    let (_sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    for _ in 0..2 {
        let sent = bundle.post(&format!("{}/sample", path(&hook)), &json!({}), 200).await;
        assert!(string(&sent["body"]["messageId"]).starts_with("sample-"), "{sent}");
        assert_eq!((&sent["status"], &sent["answer"]["responses"]), (&json!(200), &json!([])), "{sent}");
    }
    event(&bundle.send(&hook.url, "{}").await);
    let (_, module) = registry::modules().find(|(_, module)| module.name() == TRIGGER).unwrap();
    let stated = jsonschema::validator_for((module.output)().as_value()).unwrap();
    let events = bundle.all("/v1/events").await;
    assert_eq!(events.len(), 3);
    for event in &events {
        let faults: Vec<String> = stated.iter_errors(event).map(|error| error.to_string()).collect();
        assert_eq!(faults, [""; 0], "{event}");
    }
    assert_eq!(events[1]["data"]["unmapped"], json!([]));
    bundle.until_count("/v1/subscribers", 1).await;
}

#[tokio::test]
async fn the_text_of_a_message_of_the_legacy_api_is_found() {
    let (sandbox, bundle) = start().await;
    bundle.hook(TRIGGER).await;
    let said = sandbox.say(json!({ "version": 1, "text": "A latte", "attributes": { "plan": "gold" } })).await;
    assert_eq!((&said[0]["status"], &said[0]["body"]), (&json!(200), &json!({ "responses": [], "attributes": {} })));
    let [event] = bundle.all("/v1/events").await.try_into().unwrap();
    let (data, raw) = (&event["data"], &event["data"]["raw"]);
    assert_eq!(data["message"], json!({ "id": null, "chat_id": raw["conversationId"], "text": "A latte" }));
    assert_eq!((&data["node"], &data["node"]["name"]), (&raw["result"]["interaction"], &json!("Switchboard")));
    assert_eq!(data["attributes"], json!({ "plan": "gold" }));
    assert_eq!(data["unmapped"], json!(["message.id"]), "that API gives none");
    let [person] = bundle.until_count("/v1/subscribers", 1).await.try_into().unwrap();
    assert_eq!((&person["platform_id"], &person["id"]), (&raw["sessionId"], &event["subject"]));
}

#[tokio::test]
async fn a_warm_accept_is_one_write_and_its_reply_costs_nothing() {
    let (_sandbox, bundle) = start().await;
    let reply = json!({ "responses": [{ "type": "text", "message": "{{/subscriber/name}} {{/attributes/more}}" }] });
    let hook = bundle.hook_with(TRIGGER, json!({ "reply": reply, "require_token": true })).await;
    let harness = Harness::beside(&bundle);
    let hook = TestHook { url: format!("{}?token={}", hook.url, token(&hook.url)), ..hook };
    harness.send(&hook, message(&json!("m-0"), "first")).await;
    let mut expected = received(&bundle);
    let put = ("PutItem".to_owned(), harness.app.config.tables.events.clone());
    for (id, more) in [("m-1", "a"), ("m-2", "b"), ("m-1", "c"), ("m-0", "d")] {
        let answer = harness.send(&hook, message(&json!(id), more)).await;
        assert_eq!(answer.json()["responses"][0]["message"], format!("Ava {more}"));
        *expected.entry(put.clone()).or_default() += 1;
        assert_eq!(received(&bundle), expected);
    }
    assert_eq!(harness.all("/v1/events").await.len(), 3);
}

#[tokio::test]
async fn one_message_is_one_event_whenever_and_however_it_comes_again() {
    let (sandbox, bundle) = start().await;
    bundle.clock.hold();
    let hook = bundle.hook_with(TRIGGER, json!({ "dedupe_seconds": 0 })).await;
    let first = event(&bundle.send(&hook.url, message(&json!("m-1"), "first")).await);
    for days in [0, 1, 30] {
        bundle.clock.advance(Duration::from_secs(days * 86_400));
        let again = bundle.send(&hook.url, message(&json!("m-1"), &format!("after {days} days"))).await;
        assert_eq!(again.json(), json!({ "responses": [], "attributes": {} }));
        assert_eq!(event(&again), first);
    }
    assert_eq!(listed(&bundle).await, std::slice::from_ref(&first));
    // The same message from another node of the story.
    assert_eq!(sandbox.say(json!({ "message_id": "m-1" })).await[0]["status"], 200);
    assert_eq!(listed(&bundle).await.len(), 2);
    let kept = bundle.get(&format!("/v1/events/{first}"), 200).await;
    assert_eq!(kept["data"]["attributes"]["more"], "first");

    assert_ne!(event(&bundle.send(&hook.url, message(&json!("m-2"), "first")).await), first);
    let other = bundle.hook_on(&hook.connection, TRIGGER, json!({})).await;
    assert_ne!(event(&bundle.send(&other.url, message(&json!("m-1"), "first")).await), first);
    assert_eq!(listed(&bundle).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_deliveries_of_one_message_are_one_event() {
    let (_sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    for round in 0..4 {
        let bodies = (0..16).map(|racer| message(&json!(format!("m-{round}")), &racer.to_string()));
        let answers = join_all(bodies.map(|body| bundle.send(&hook.url, body))).await;
        let ids: BTreeSet<String> = answers.iter().map(event).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert_eq!(listed(&bundle).await[0], *ids.first().unwrap());
    }
    assert_eq!(listed(&bundle).await.len(), 4);
    bundle.until_count("/v1/subscribers", 1).await;
}

#[tokio::test]
async fn deliveries_without_a_message_id_differ_by_their_content() {
    let (_sandbox, bundle) = start().await;
    bundle.clock.hold();
    let hook = bundle.hook_with(TRIGGER, json!({ "dedupe_seconds": 60 })).await;
    let unnumbered = [json!(null), json!(""), json!(false), json!({ "a": 1 })];
    let bodies: Vec<String> =
        unnumbered.iter().map(|id| message(id, "x")).chain([legacy("Hi"), legacy("Hi again")]).collect();
    let mut ids = BTreeSet::new();
    for body in &bodies {
        let first = event(&bundle.send(&hook.url, body.clone()).await);
        bundle.clock.advance(Duration::from_secs(59));
        assert_eq!(event(&bundle.send(&hook.url, body.clone()).await), first, "{body}");
        bundle.clock.advance(Duration::from_secs(1));
        let second = event(&bundle.send(&hook.url, body.clone()).await);
        ids.extend([first, second]);
    }
    assert_eq!(ids.len(), bodies.len() * 2);
    bundle.patch(&path(&hook), &json!({ "settings": { "dedupe_seconds": 0 } }), 200).await;
    for _ in 0..2 {
        ids.insert(event(&bundle.send(&hook.url, legacy("Hi")).await));
    }
    assert_eq!(ids.len(), bodies.len() * 2 + 2);
    assert_eq!(listed(&bundle).await.into_iter().collect::<BTreeSet<_>>(), ids);
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_kept() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let right = token(&hook.url);
    assert_eq!(sandbox.say(json!({ "token": "wrong" })).await[0]["status"], 401);
    let body = message(&json!("m-1"), "x");
    for query in ["token=wrong".to_owned(), format!("token=wrong&token={right}"), format!("token={right}%00")] {
        let answer = bundle.send(&format!("{}?{query}", hook.url), body.clone()).await;
        problem(&answer, 401, "unauthorized");
        assert!(!answer.headers.contains_key("x-switchboard-event"));
    }
    assert_eq!(listed(&bundle).await, [""; 0]);
    let kept = rejected(&bundle, &hook.id).await;
    assert_eq!(kept.len(), 4);
    for call in &kept {
        assert_eq!(call["code"], "unauthorized", "{call}");
        assert!(!call.to_string().contains(&right), "{call}");
    }
    assert_eq!(kept[0]["body"], body);
    for (number, query) in ["", "?token=", "?other=1", &format!("?token={right}&challenge=x")].into_iter().enumerate() {
        event(&bundle.send(&format!("{}{query}", hook.url), message(&json!(format!("m-{number}")), "x")).await);
    }
    assert_eq!(rejected(&bundle, &hook.id).await, kept);
}

#[tokio::test]
async fn a_hook_may_require_the_token() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook_with(TRIGGER, json!({ "require_token": true })).await;
    assert_eq!(sandbox.say(json!({ "with_token": false })).await[0]["status"], 401);
    problem(&bundle.send(&format!("{}?token=", hook.url), message(&json!("m-1"), "x")).await, 401, "unauthorized");
    assert_eq!(rejected(&bundle, &hook.id).await.len(), 2);
    assert_eq!(sandbox.say(json!({})).await[0]["status"], 200);
    let sent = bundle.post(&format!("{}/sample", path(&hook)), &json!({}), 200).await;
    assert_eq!((&sent["status"], &sent["answer"]["responses"]), (&json!(200), &json!([])), "{sent}");

    let rotated = bundle.post(&format!("{}/rotate", path(&hook)), &json!({}), 200).await;
    let new = string(&rotated["url"]);
    assert_eq!(sandbox.say(json!({})).await[0]["status"], 200, "ChatBot has the old URL with its token");
    let crossed = format!("{new}?token={}", token(&hook.url));
    problem(&bundle.send(&crossed, message(&json!("m-2"), "x")).await, 401, "unauthorized");
    event(&bundle.send(&format!("{new}?token={}", token(&new)), message(&json!("m-2"), "x")).await);
    bundle.patch(&path(&hook), &json!({ "settings": { "require_token": false } }), 200).await;
    assert_eq!(sandbox.say(json!({ "with_token": false })).await[0]["status"], 200);
}

#[tokio::test]
async fn a_disabled_hook_says_nothing_and_keeps_what_came() {
    let (sandbox, bundle) = start().await;
    let reply = json!({ "responses": [{ "type": "text", "message": "Hi {{/subscriber/name}}!" }] });
    let hook = bundle.hook_with(TRIGGER, json!({ "reply": reply })).await;
    bundle.patch(&path(&hook), &json!({ "enabled": false }), 200).await;
    for (at, version) in [2, 1].into_iter().enumerate() {
        let said = sandbox.say(json!({ "version": version })).await;
        assert_eq!((&said[0]["status"], &said[0]["body"]["responses"]), (&json!(200), &json!([])), "{said}");
        let kept = rejected(&bundle, &hook.id).await;
        assert_eq!((kept.len(), &kept[0]["code"]), (at + 1, &json!("hook_disabled")));
    }
    let ignored = bundle.send(&hook.url, "no event at all").await;
    assert_eq!((ignored.status.as_u16(), ignored.headers.contains_key("x-switchboard-event")), (200, false));
    assert_eq!(bundle.send(&format!("{}?token=wrong", hook.url), "{}").await.status, 401);
    assert_eq!(listed(&bundle).await, [""; 0]);
    bundle.patch(&path(&hook), &json!({ "enabled": true }), 200).await;
    assert_eq!(sandbox.say(json!({})).await[0]["body"]["responses"][0]["message"], "Hi Ava!");
}

#[tokio::test]
async fn a_delivery_that_can_not_be_an_event_is_refused_and_kept() {
    let (_sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let large = message(&json!("m-1"), &"x".repeat(256 * 1024));
    for (body, status, code) in [("{\"messageId\":", 400, "unreadable_body"), (&large, 413, "body_too_large")] {
        problem(&bundle.send(&hook.url, body.to_owned()).await, status, code);
        let kept = rejected(&bundle, &hook.id).await;
        assert_eq!((&kept[0]["code"], &kept[0]["bytes"]), (&json!(code), &json!(body.len())));
    }
    for body in ["{}", "[]", "5", "\"text\"", "null", r#"{"result":5,"node":[],"attributes":"x","userAttributes":7}"#] {
        let id = event(&bundle.send(&hook.url, body).await);
        let data = bundle.get(&format!("/v1/events/{id}"), 200).await["data"].clone();
        assert_eq!((&data["raw"].to_string(), &data["subscriber"]), (&body.to_owned(), &Value::Null));
        assert_eq!(data["message"], json!({ "id": null, "chat_id": null, "text": null }));
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_stored() {
    let (_sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let down = Harness::beside(&bundle).failing(RetryConfig::disabled(), |operation, _| match operation {
        "PutItem" => StoreFault::Unreached,
        _ => StoreFault::None,
    });
    for body in [message(&json!("m-1"), "x"), "neither JSON nor a form".to_owned()] {
        let answer = down.send(&hook, body).await;
        problem(&answer, 503, "store_unavailable");
        assert!(!answer.headers.contains_key("x-switchboard-event"));
    }
    bundle.patch(&path(&hook), &json!({ "enabled": false }), 200).await;
    down.app.hooks.forget(&hook.id.parse().unwrap());
    problem(&down.send(&hook, message(&json!("m-1"), "x")).await, 503, "store_unavailable");
}

#[tokio::test]
async fn a_mapping_finds_the_text_that_a_story_saved() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    sandbox.say(json!({ "attributes": { "answer": "A latte" } })).await;
    sandbox.say(json!({ "version": 1, "text": "A mocha" })).await;
    let texts = async || -> Vec<Value> {
        bundle.all("/v1/events").await.iter().map(|event| event["data"]["message"]["text"].clone()).collect()
    };
    assert_eq!(texts().await, [json!("A mocha"), json!(null)]);
    let mapping = json!({ "message.text": "/attributes/answer" });
    bundle.patch(&path(&hook), &json!({ "settings": { "mapping": mapping } }), 200).await;
    let remapped = bundle.post(&format!("{}/remap", path(&hook)), &json!({}), 200).await;
    assert_eq!(remapped, json!({ "read": 2, "changed": 2, "next": null }));
    assert_eq!(texts().await, [json!(null), json!("A latte")], "a mapping is in place of the candidates");
    let sent = Sandbox::say(&sandbox, json!({ "attributes": { "answer": "A tea" } })).await;
    assert_eq!(sent[0]["status"], 200);
    assert_eq!(texts().await[0], "A tea");
}
