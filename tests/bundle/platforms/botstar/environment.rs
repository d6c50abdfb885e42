//! The environment of BotStar's events, and the hook setting `live_only`.

use crate::support::assertions::refused;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Bundle, TestHook, string};

async fn data(bundle: &Bundle, hook: &TestHook, body: &Value) -> Value {
    let event = string(&bundle.send(&hook.url, body.to_string()).await.json()["event"]);
    bundle.get(&format!("/v1/events/{event}"), 200).await["data"].clone()
}

fn triggers() -> Vec<&'static str> {
    let names = registry::triggers().map(|watch| watch.trigger.name);
    names.filter(|name| name.starts_with("botstar.")).collect()
}

#[tokio::test]
async fn every_trigger_reads_the_environment_by_either_name() {
    let bundle = Bundle::start().await;
    assert_eq!(triggers().len(), 7);
    for trigger in triggers() {
        let hook = bundle.hook_with(trigger, json!({ "dedupe_seconds": 0 })).await;
        for (more, environment, unmapped) in [
            (json!({ "environment": "live" }), json!("live"), false),
            (json!({ "environment": " Test " }), json!("test"), false),
            (json!({ "env": "LIVE" }), json!("live"), false),
            (json!({ "environment": null, "env": "test" }), json!("test"), false),
            (json!({ "environment": "production", "env": "live" }), json!("live"), false),
            (json!({}), json!(null), false),
            (json!({ "environment": "" }), json!(null), false),
            (json!({ "environment": "production" }), json!(null), true),
            (json!({ "env": 1 }), json!(null), true),
        ] {
            let data = data(&bundle, &hook, &more).await;
            assert_eq!(data["environment"], environment, "{trigger}: {more}");
            let is_listed = data["unmapped"].as_array().unwrap().contains(&json!("environment"));
            assert_eq!(is_listed, unmapped, "{trigger}: {more}: {data}");
        }
    }
}

#[tokio::test]
async fn with_live_only_a_test_event_is_ignored_and_everything_else_is_kept() {
    let bundle = Bundle::start().await;
    for trigger in triggers() {
        let hook = bundle.hook_with(trigger, json!({ "live_only": true, "reply": { "ok": 1 } })).await;
        for body in [json!({ "environment": "test", "id": "u-1" }), json!({ "env": "Test" })] {
            let answer = bundle.send(&hook.url, body.to_string()).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "status": "ignored", "event": null })));
            assert!(!answer.headers.contains_key("x-switchboard-event"));
        }
        for body in [json!({ "environment": "live" }), json!({ "environment": "staging" }), json!({ "x": "test" })] {
            let answer = bundle.send(&hook.url, body.to_string()).await;
            assert_eq!(answer.json(), json!({ "ok": 1 }), "{trigger}: {body}");
        }
        let events = bundle.get(&format!("/v1/events?hook={}", hook.id), 200).await;
        assert_eq!(events["items"].as_array().unwrap().len(), 3, "{trigger}");
        // An unreadable call is rejected all the same.
        refused(bundle.http.post(&hook.url).body("environment: test"), 400, "unreadable_body").await;
        assert_eq!(bundle.all(&format!("/v1/hooks/{}/rejected", hook.id)).await.len(), 1);
    }
}

#[tokio::test]
async fn live_only_is_off_by_default_a_setting_of_botstar_and_follows_the_mapping() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let path = format!("/v1/hooks/{}", hook.id);
    assert_eq!(bundle.get(&path, 200).await["settings"]["live_only"], Value::Null);
    assert_eq!(bundle.send(&hook.url, r#"{"environment":"test","tag":"a"}"#).await.json()["status"], "accepted");
    for settings in [json!({ "live_only": "yes" }), json!({ "live_only": 1 })] {
        refused(bundle.request(Method::PATCH, &path).json(&json!({ "settings": settings })), 422, "invalid_body").await;
    }
    let settings = json!({ "live_only": true, "mapping": { "environment": "/meta/mode" }, "dedupe_seconds": 0 });
    let changed = bundle.patch(&path, &json!({ "settings": settings }), 200).await;
    assert_eq!(changed["settings"]["live_only"], true);
    for (body, status) in [
        (json!({ "meta": { "mode": "TEST" }, "tag": "a" }), "ignored"),
        (json!({ "meta": { "mode": "live" }, "environment": "test", "tag": "a" }), "accepted"),
        (json!({ "environment": "test", "tag": "a" }), "accepted"),
    ] {
        assert_eq!(bundle.send(&hook.url, body.to_string()).await.json()["status"], status, "{body}");
    }
    bundle.patch(&path, &json!({ "enabled": false }), 200).await;
    let ignored = bundle.send(&hook.url, r#"{"meta":{"mode":"test"}}"#).await.json();
    assert_eq!(ignored["status"], "ignored");
    // A disabled hook keeps every call.
    assert_eq!(bundle.all(&format!("{path}/rejected")).await.len(), 1);
    let other = json!({ "trigger": "botmother.watch-request", "name": "n", "connection": bundle.connection("botmother").await,
        "settings": { "live_only": true } });
    refused(bundle.request(Method::POST, "/v1/hooks").json(&other), 422, "invalid_body").await;
}
