//! Registration of users: the request to BotDistrikt, the subscriber made from its answer, and one registration a
//! person.

use crate::support::{assertions::pointers, botdistrikt::BotDistrikt};
use futures::future::join_all;
use models::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::{
    eventually,
    sandbox::{FaultKind, Platform, Sandbox},
    string,
};

const REGISTER: &str = "register-user";

/// A bot_user with more than is documented.
fn whole() -> Value {
    json!({
        "zeta": [1, { "deep": null }], "webchat_id": "webchat.zbqr0d", "first_name": "Ava", "last_name": "",
        "active": true, "is_group": false, "channel": "web", "name": "Ava Chen", "email": "ava@example.com",
        "phone": "+41 79", "timezone": "Europe/Zurich", "profile_pic": "https://example.com/a.png",
        "tags": ["vip", { "name": "new" }], "n": 1.5, "alpha": { "z": 1, "a": {} },
    })
}

#[tokio::test]
async fn only_the_given_fields_are_sent() {
    let botdistrikt = BotDistrikt::start().await;
    let user = json!({ "first_name": "Ava", "notes": ["vip", { "a": null, "n": 1.5 }] });
    let domain = Sandbox::DOMAIN;
    for (input, sent) in [
        (json!({}), json!({ "domain": domain })),
        (json!({ "webchat_id": null, "user": null, "reuse": null }), json!({ "domain": domain })),
        (json!({ "webchat_id": "u-1" }), json!({ "domain": domain, "webchat_id": "u-1" })),
        (json!({ "user": user, "reuse": false }), json!({ "domain": domain, "user": user })),
        (json!({ "webchat_id": "u-2", "user": {} }), json!({ "domain": domain, "webchat_id": "u-2", "user": {} })),
        (json!({ "webchat_id": "~".repeat(256) }), json!({ "domain": domain, "webchat_id": "~".repeat(256) })),
    ] {
        let answer = botdistrikt.act(REGISTER, input.clone(), 200).await;
        let [seen] = botdistrikt.sandbox.requests().try_into().unwrap();
        assert_eq!(
            (seen.method.clone(), seen.path.as_str(), seen.query.as_str()),
            (Method::POST, "/webchat_apps/4711/user", "")
        );
        assert_eq!((seen.authorization(), seen.headers["content-type"].as_bytes()), (None, &b"application/json"[..]));
        assert_eq!(botdistrikt.asked(), [sent]);
        assert_eq!(answer["reused"], false, "{answer}");
        if let Some(id) = input["webchat_id"].as_str() {
            assert_eq!(answer["user"]["webchat_id"], id);
        }
    }
}

#[tokio::test]
async fn the_answer_is_whole_and_kept_as_a_subscriber() {
    let botdistrikt = BotDistrikt::start().await;
    botdistrikt.sandbox.script(|_| whole().to_string());
    let before = botdistrikt.bundle.local.app.now();
    let answer = botdistrikt.answer(REGISTER, json!({})).await;
    let after = botdistrikt.bundle.local.app.now();
    assert!(answer.text.contains(&whole().to_string()), "in the order of BotDistrikt: {}", answer.text);
    let registered = answer.json();
    let names: Vec<&String> = registered.as_object().unwrap().keys().collect();
    assert_eq!(names, ["user", "subscriber", "reused"]);
    assert_eq!(registered["reused"], false);
    let subscriber = botdistrikt.subscriber(&registered).await;
    let seen = Timestamp::parse(&string(&subscriber["first_seen"])).unwrap();
    assert!((before..=after).contains(&seen), "{before} {seen} {after}");
    let reported = json!({
        "id": registered["subscriber"], "platform": "botdistrikt", "connection": botdistrikt.connection,
        "platform_id": "webchat.zbqr0d", "name": "Ava Chen", "first_name": "Ava", "last_name": null,
        "email": "ava@example.com", "phone": "+41 79", "channel": "web", "locale": null, "timezone": "Europe/Zurich",
        "picture": "https://example.com/a.png", "tags": ["new", "vip"], "attributes": {}, "platform_user": whole(),
        "first_seen": subscriber["first_seen"], "last_seen": subscriber["first_seen"],
    });
    assert_eq!(subscriber, reported);
    for (filter, count) in [("?platform=botdistrikt", 1), ("?platform=chatbot", 0), ("?tag=vip", 1), ("?tag=none", 0)] {
        botdistrikt.bundle.until_count(&format!("/v1/subscribers{filter}"), count).await;
    }
}

#[tokio::test]
async fn a_second_call_finds_who_is_registered() {
    let botdistrikt = BotDistrikt::start().await;
    let register = async |input: Value| botdistrikt.act(REGISTER, input, 200).await;
    let first = register(json!({ "webchat_id": "u-1", "user": { "first_name": "Ava" } })).await;
    for again in [
        json!({ "webchat_id": "u-1" }),
        json!({ "webchat_id": "u-1", "reuse": true }),
        json!({ "webchat_id": "u-1", "reuse": null, "user": { "first_name": "Ben" } }),
    ] {
        let found = register(again).await;
        assert_eq!((&found["user"], &found["subscriber"]), (&first["user"], &first["subscriber"]));
        assert_eq!(found["reused"], true);
    }
    assert_eq!(botdistrikt.sandbox.registrations(), ["u-1"]);

    let anew = register(json!({ "webchat_id": "u-1", "reuse": false, "user": { "first_name": "Ben" } })).await;
    assert_eq!((&anew["subscriber"], &anew["reused"]), (&first["subscriber"], &json!(false)));
    assert_eq!(anew["user"]["first_name"], "Ben");
    let subscriber = botdistrikt.subscriber(&anew).await;
    assert_eq!((&subscriber["platform_user"], &subscriber["first_name"]), (&anew["user"], &json!("Ben")));
    assert_eq!(register(json!({ "webchat_id": "u-1" })).await["user"], anew["user"], "the last is found");
    assert_eq!(botdistrikt.sandbox.registrations(), ["u-1", "u-1"]);
    assert_eq!(botdistrikt.say("u-1", "Hi").await["responses"], json!([{ "text": "You said: Hi" }]));
}

#[tokio::test]
async fn without_an_id_each_call_is_another_person_who_is_found_by_the_id_that_was_made() {
    let botdistrikt = BotDistrikt::start().await;
    let mut people = BTreeSet::new();
    for input in [json!({}), json!({ "reuse": true }), json!({ "webchat_id": null, "reuse": false })] {
        let made = botdistrikt.act(REGISTER, input, 200).await;
        assert_eq!(made["reused"], false);
        people.insert((string(&made["subscriber"]), string(&made["user"]["webchat_id"])));
    }
    assert_eq!((people.len(), botdistrikt.sandbox.registrations().len()), (3, 3));
    for (subscriber, webchat_id) in people {
        let found = botdistrikt.register(&webchat_id).await;
        assert_eq!((&found["subscriber"], &found["reused"]), (&json!(subscriber), &json!(true)));
        botdistrikt.say(&webchat_id, "Hi").await;
    }
    assert_eq!(botdistrikt.sandbox.registrations().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_calls_at_once_are_one_registration() {
    let botdistrikt = BotDistrikt::start().await;
    for round in 0..3 {
        let id = format!("u-{round}");
        let answers = join_all((0..20).map(|_| botdistrikt.register(&id))).await;
        let reported: BTreeSet<String> =
            answers.iter().map(|answer| format!("{} {}", answer["user"], answer["subscriber"])).collect();
        assert_eq!(reported.len(), 1, "{reported:?}");
        let reused = answers.iter().filter(|answer| answer["reused"] == true).count();
        assert_eq!(reused, 19, "one has registered");
    }
    assert_eq!(botdistrikt.sandbox.registrations(), ["u-0", "u-1", "u-2"]);
    assert_eq!(botdistrikt.bundle.all("/v1/subscribers").await.len(), 3);
}

#[tokio::test]
async fn one_person_does_not_wait_for_another() {
    let botdistrikt = BotDistrikt::start().await;
    let other = botdistrikt.bundle.connection("botdistrikt").await;
    botdistrikt.sandbox.fault(FaultKind::HangBefore.at(Platform::BotDistrikt));
    let waiting = tokio::spawn(botdistrikt.request(REGISTER, json!({ "webchat_id": "u-1" })).send());
    eventually(|| async { (botdistrikt.sandbox.requests().len() == 1).then_some(()) }).await;
    botdistrikt.register("u-2").await;
    botdistrikt.act(REGISTER, json!({ "webchat_id": "u-1", "connection": other }), 200).await;
    botdistrikt.act(REGISTER, json!({}), 200).await;
    assert!(!waiting.is_finished());
}

#[tokio::test]
async fn one_id_on_two_connections_is_two_people() {
    let botdistrikt = BotDistrikt::start().await;
    let other = botdistrikt.bundle.connection("botdistrikt").await;
    let first = botdistrikt.register("u-1").await;
    let on_other = json!({ "webchat_id": "u-1", "connection": other });
    let second = botdistrikt.act(REGISTER, on_other.clone(), 200).await;
    assert_eq!((&second["reused"], second["subscriber"] == first["subscriber"]), (&json!(false), false));
    assert_eq!(botdistrikt.subscriber(&second).await["connection"], other);
    assert_eq!(botdistrikt.act(REGISTER, on_other, 200).await["user"], second["user"]);
    assert_eq!(botdistrikt.register("u-1").await["user"], first["user"]);
    assert_eq!(botdistrikt.sandbox.registrations(), ["u-1", "u-1"]);
}

#[tokio::test]
async fn an_erased_user_is_registered_again() {
    let botdistrikt = BotDistrikt::start().await;
    let first = botdistrikt.act(REGISTER, json!({ "webchat_id": "u-1", "user": { "email": "a@b.c" } }), 200).await;
    let path = BotDistrikt::subscriber_path(&first);
    for lives in 2..4 {
        botdistrikt.bundle.delete(&path, 204).await;
        botdistrikt.bundle.get(&path, 404).await;
        let input = json!({ "webchat_id": "u-1", "message": "Hi" });
        let problem = botdistrikt.refused("send-message", input, 404, "not_found").await;
        assert!(string(&problem["detail"]).contains("botdistrikt.register-user"), "{problem}");
        let anew = botdistrikt.register("u-1").await;
        assert_eq!((&anew["subscriber"], &anew["reused"]), (&first["subscriber"], &json!(false)));
        let subscriber = botdistrikt.subscriber(&anew).await;
        assert_eq!((&subscriber["platform_user"], &subscriber["email"]), (&anew["user"], &Value::Null));
        assert_eq!(botdistrikt.sandbox.registrations().len(), lives);
        botdistrikt.say("u-1", "Hi").await;
    }
    assert_eq!(botdistrikt.sandbox.messages().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_user_erased_in_the_same_instant_stays_erased_and_the_answer_says_so() {
    let botdistrikt = BotDistrikt::start().await;
    botdistrikt.bundle.clock.hold();
    let first = botdistrikt.register("u-1").await;
    let path = BotDistrikt::subscriber_path(&first);
    botdistrikt.bundle.delete(&path, 204).await;
    let problem = botdistrikt.refused(REGISTER, json!({ "webchat_id": "u-1" }), 502, "partly_done").await;
    assert_eq!(problem["retry"], "unknown", "{problem}");
    assert!(string(&problem["detail"]).contains("is registered as u-1"), "{problem}");
    botdistrikt.bundle.get(&path, 404).await;
    botdistrikt.bundle.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(botdistrikt.register("u-1").await["reused"], false);
    botdistrikt.bundle.get(&path, 200).await;
}

#[tokio::test]
async fn an_input_with_faults_is_refused_before_anything_is_asked() {
    let botdistrikt = BotDistrikt::start().await;
    for (input, at) in [
        (json!({ "webchat_id": "" }), "/webchat_id"),
        (json!({ "webchat_id": "u 1" }), "/webchat_id"),
        (json!({ "webchat_id": "u-1\r\nx: y" }), "/webchat_id"),
        (json!({ "webchat_id": "u-1\n" }), "/webchat_id"),
        (json!({ "webchat_id": "u\u{0}" }), "/webchat_id"),
        (json!({ "webchat_id": "é" }), "/webchat_id"),
        (json!({ "webchat_id": "x".repeat(257) }), "/webchat_id"),
        (json!({ "webchat_id": 7 }), "/webchat_id"),
        (json!({ "webchat_id": ["u-1"] }), "/webchat_id"),
        (json!({ "user": "Ava" }), "/user"),
        (json!({ "user": [] }), "/user"),
        (json!({ "reuse": "yes" }), "/reuse"),
        (json!({ "domain": "a.example" }), "/domain"),
        (json!({ "first_name": "Ava" }), "/first_name"),
    ] {
        let problem = botdistrikt.refused(REGISTER, input.clone(), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), [at], "{input}");
    }
    assert_eq!(botdistrikt.sandbox.requests().len(), 0);
    assert_eq!(botdistrikt.bundle.all("/v1/subscribers").await.len(), 0);
}
