//! One person, known from registrations and from events.

use crate::support::{botdistrikt::BotDistrikt, harness::Harness};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{TestHook, eventually, string};

async fn start() -> (BotDistrikt, TestHook) {
    let botdistrikt = BotDistrikt::start().await;
    let hook = botdistrikt.bundle.hook_on(&botdistrikt.connection, "botdistrikt.watch-message", json!({})).await;
    (botdistrikt, hook)
}

fn reported(webchat_id: &str, email: &str) -> Value {
    json!({ "user": { "webchat_id": webchat_id, "email": email, "told": "by an event" }, "message": "Hi" })
}

impl BotDistrikt {
    /// The subscriber, once it has this address.
    async fn with_email(&self, registered: &Value, email: Value) -> Value {
        eventually(|| async { Some(self.subscriber(registered).await).filter(|found| found["email"] == email) }).await
    }
}

#[tokio::test]
async fn an_event_adds_to_who_is_registered_and_leaves_what_was_answered() {
    let (botdistrikt, hook) = start().await;
    let registered = botdistrikt.register("u-1").await;
    let before = botdistrikt.subscriber(&registered).await;
    botdistrikt.bundle.clock.advance(Duration::from_secs(1));
    let event = botdistrikt.bundle.accept(&hook, &reported("u-1", "ava@example.com")).await;
    let after = botdistrikt.with_email(&registered, json!("ava@example.com")).await;
    let time = &botdistrikt.bundle.get(&format!("/v1/events/{event}"), 200).await["time"];
    let mut expected = before.clone();
    expected["email"] = json!("ava@example.com");
    expected["last_seen"] = time.clone();
    assert_eq!(after, expected);
    assert_eq!(after["platform_user"], registered["user"]);
    assert_eq!(botdistrikt.bundle.all("/v1/subscribers").await, [after]);
    let again = botdistrikt.register("u-1").await;
    assert_eq!((&again["user"], &again["reused"]), (&registered["user"], &json!(true)));
    botdistrikt.say("u-1", "Hi").await;
}

#[tokio::test]
async fn a_hook_can_not_map_the_platforms_own_object() {
    let (botdistrikt, hook) = start().await;
    let registered = botdistrikt.register("u-1").await;
    let mapping =
        json!({ "mapping": { "subscriber.platform_user": "/user", "subscriber.attributes.told": "/user/told" } });
    botdistrikt.bundle.patch(&format!("/v1/hooks/{}", hook.id), &json!({ "settings": mapping }), 200).await;
    botdistrikt.bundle.accept(&hook, &reported("u-1", "ava@example.com")).await;
    let after = botdistrikt.with_email(&registered, json!("ava@example.com")).await;
    assert_eq!(after["attributes"], json!({ "told": "by an event" }));
    assert_eq!(after["platform_user"], registered["user"]);
    botdistrikt.say("u-1", "Hi").await;
}

#[tokio::test]
async fn a_user_known_from_events_alone_is_not_registered() {
    let (botdistrikt, hook) = start().await;
    botdistrikt.bundle.accept(&hook, &reported("u-1", "ava@example.com")).await;
    let [known] = botdistrikt.bundle.until_count("/v1/subscribers", 1).await.try_into().unwrap();
    assert_eq!(known["platform_user"], Value::Null);
    let input = json!({ "webchat_id": "u-1", "message": "Hi" });
    botdistrikt.refused("send-message", input, 404, "not_found").await;
    assert_eq!(botdistrikt.sandbox.requests().len(), 0);
    let registered = botdistrikt.register("u-1").await;
    assert_eq!((&registered["subscriber"], &registered["reused"]), (&known["id"], &json!(false)));
    let after = botdistrikt.subscriber(&registered).await;
    assert_eq!((&after["platform_user"], &after["email"]), (&registered["user"], &json!("ava@example.com")));
    assert_eq!(after["first_seen"], known["first_seen"]);
    botdistrikt.say("u-1", "Hi").await;
    assert_eq!(botdistrikt.sandbox.registrations(), ["u-1"]);
}

#[tokio::test]
async fn a_remap_takes_back_values_of_events_and_keeps_the_registration() {
    let (botdistrikt, hook) = start().await;
    let registered = botdistrikt.register("u-1").await;
    let before = botdistrikt.subscriber(&registered).await;
    botdistrikt.bundle.clock.advance(Duration::from_secs(1));
    for email in ["ava@example.com", "chen@example.com"] {
        botdistrikt.bundle.accept(&hook, &reported("u-1", email)).await;
        botdistrikt.with_email(&registered, json!(email)).await;
    }
    let hook_path = format!("/v1/hooks/{}", hook.id);
    for (mapping, email, people) in [
        (json!({ "subscriber.email": "/user/told" }), json!("by an event"), 1),
        (json!({ "subscriber.email": "/nowhere" }), Value::Null, 1),
        (json!({ "subscriber.id": "/user/told" }), Value::Null, 2),
        (json!({ "subscriber.id": "/nowhere" }), Value::Null, 1),
        (json!({}), json!("chen@example.com"), 1),
    ] {
        botdistrikt.bundle.patch(&hook_path, &json!({ "settings": { "mapping": mapping } }), 200).await;
        let remapped = botdistrikt.bundle.post(&format!("{hook_path}/remap"), &json!({}), 200).await;
        assert_eq!(remapped["changed"], 2, "{mapping}");
        let after = botdistrikt.with_email(&registered, email).await;
        botdistrikt.bundle.until_count("/v1/subscribers", people).await;
        for field in ["platform_user", "first_name", "channel", "platform_id"] {
            assert_eq!(after[field], before[field], "{mapping}");
        }
        let again = botdistrikt.register("u-1").await;
        assert_eq!((&again["user"], &again["reused"]), (&registered["user"], &json!(true)));
    }
    botdistrikt.say("u-1", "Hi").await;
    assert_eq!(botdistrikt.sandbox.registrations(), ["u-1"]);
}

#[tokio::test]
async fn an_erasure_takes_the_registration_and_leaves_the_source_of_events() {
    let (botdistrikt, hook) = start().await;
    botdistrikt.bundle.clock.hold();
    let harness = Harness::beside(&botdistrikt.bundle);
    let input = json!({ "webchat_id": "u-avabelle", "user": { "first_name": "Avabelle" } });
    let path = "/v1/actions/botdistrikt/register-user";
    let registered = harness.answer(Method::POST, path, botdistrikt.input(input.clone()).to_string()).await.json();
    // A harness's requests have no headers of their own, so that the source is unknown.
    harness.accept(&hook, &reported("u-avabelle", "avabelle@example.com")).await;
    let records = harness.stream(1).await;
    harness.handle(&records).await;
    let subscriber = format!("/v1/subscribers/{}", string(&registered["subscriber"]));
    let known = harness.answer(Method::GET, &subscriber, "").await.json();
    assert_eq!((&known["email"], &known["first_name"]), (&json!("avabelle@example.com"), &json!("Avabelle")));
    botdistrikt.bundle.clock.advance(Duration::from_secs(1));
    assert_eq!(harness.answer(Method::DELETE, &subscriber, "").await.status, 204);
    for table in [&harness.app.config.tables.events, &harness.app.config.tables.records] {
        for item in crate::support::harness::items(&harness.app, table).await {
            assert!(!item.to_lowercase().contains("avabelle"), "{item}");
        }
    }
    let [event] = harness.all("/v1/events").await.try_into().unwrap();
    assert_eq!((&event["data"]["raw"], &event["data"]["message"]), (&Value::Null, &Value::Null));
    assert_eq!(event["data"]["source"], json!({ "kind": "unknown", "id": null }));
    // The record that comes late brings nothing back, neither before nor after the person is registered anew.
    harness.handle(&records).await;
    assert_eq!(harness.answer(Method::GET, &subscriber, "").await.status, 404);
    botdistrikt.bundle.clock.advance(Duration::from_secs(1));
    let anew = harness.answer(Method::POST, path, botdistrikt.input(input).to_string()).await.json();
    harness.handle(&harness.so_far().await).await;
    let back = harness.answer(Method::GET, &subscriber, "").await.json();
    assert_eq!((&back["platform_user"], &back["email"]), (&anew["user"], &Value::Null));
    assert_eq!(anew["reused"], false);
}

#[tokio::test]
async fn the_source_of_an_event_outlives_its_person() {
    let (botdistrikt, hook) = start().await;
    let registered = botdistrikt.register("u-1").await;
    botdistrikt.sandbox.set_event_webhook(&hook.url);
    botdistrikt.sandbox.bot_says(json!({ "source": "broadcast", "source_id": "b-1" })).await;
    let last_seen =
        async |event: &Value| (botdistrikt.subscriber(&registered).await["last_seen"] == event["time"]).then_some(());
    let event = botdistrikt.bundle.all("/v1/events").await.remove(0);
    eventually(|| last_seen(&event)).await;
    botdistrikt.bundle.delete(&BotDistrikt::subscriber_path(&registered), 204).await;
    let scrubbed = botdistrikt.bundle.get(&format!("/v1/events/{}", string(&event["id"])), 200).await;
    let mut expected = event.clone();
    for field in ["raw", "message", "subscriber"] {
        expected["data"][field] = Value::Null;
    }
    assert_eq!(scrubbed, expected);
    assert_eq!(scrubbed["data"]["source"], json!({ "kind": "broadcast", "id": "b-1" }));
}
