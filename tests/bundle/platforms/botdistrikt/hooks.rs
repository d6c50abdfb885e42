//! BotDistrikt's Event Webhook: its headers name the sender, and its body has no documented shape.

use crate::support::{
    assertions::{counts, pointers, problem, refused, rejected},
    botdistrikt::BotDistrikt,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tests::{Answer, TestHook, answer, string};

const TRIGGER: &str = "botdistrikt.watch-message";
const SOURCE: &str = "X-BotDistrikt-Source";
const SOURCE_ID: &str = "X-BotDistrikt-Source-Id";

/// A header's value, if it is sent at all.
type Header<'a> = Option<&'a [u8]>;

async fn start_with(settings: Value) -> (BotDistrikt, TestHook) {
    let botdistrikt = BotDistrikt::start().await;
    let hook = botdistrikt.bundle.hook_on(&botdistrikt.connection, TRIGGER, settings).await;
    (botdistrikt, hook)
}

fn path(hook: &TestHook) -> String {
    format!("/v1/hooks/{}", hook.id)
}

fn body(number: usize) -> Value {
    json!({ "user": { "webchat_id": "u-1" }, "message": { "text": "Hi" }, "number": number })
}

impl BotDistrikt {
    /// Posts a body as BotDistrikt does, with a source and its id if there are any.
    async fn post(&self, hook: &TestHook, source: Header<'_>, id: Header<'_>, body: &Value) -> Answer {
        let request = self.bundle.http.post(&hook.url).json(body);
        let headers = [(SOURCE, source), (SOURCE_ID, id)];
        let reported = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
        answer(reported.fold(request, |request, (name, value)| request.header(name, value))).await
    }

    async fn event(&self, id: &str) -> Value {
        self.bundle.get(&format!("/v1/events/{id}"), 200).await
    }

    /// Posts what becomes an event; the event.
    async fn event_of(&self, hook: &TestHook, source: Header<'_>, id: Header<'_>, body: &Value) -> Value {
        let answer = self.post(hook, source, id, body).await;
        let receipt = answer.json();
        assert_eq!((answer.status.as_u16(), &receipt["status"]), (200, &json!("accepted")), "{source:?}: {receipt}");
        assert_eq!(answer.headers["x-switchboard-event"], string(&receipt["event"]).as_str());
        self.event(&string(&receipt["event"])).await
    }

    /// Every event, each as the module states it.
    async fn events(&self) -> Vec<Value> {
        let platforms = self.bundle.get("/v1/modules", 200).await["items"].as_array().unwrap().clone();
        let mut modules = platforms.iter().flat_map(|platform| platform["modules"].as_array().unwrap());
        let stated = modules.find(|module| module["name"] == TRIGGER).unwrap();
        let stated = jsonschema::validator_for(&stated["output"]).unwrap();
        let events = self.bundle.all("/v1/events").await;
        for event in &events {
            let faults: Vec<String> = stated.iter_errors(event).map(|error| error.to_string()).collect();
            assert_eq!(faults, [""; 0], "{event}");
        }
        events
    }
}

#[tokio::test]
async fn a_message_becomes_an_event_with_its_source() {
    let (botdistrikt, hook) = start_with(json!({})).await;
    let registered = botdistrikt.register("u-1").await;
    botdistrikt.sandbox.set_event_webhook(&hook.url);
    let answer =
        botdistrikt.sandbox.bot_says(json!({ "source": "human", "source_id": "member-7", "text": "Hello" })).await;
    assert_eq!((&answer["status"], &answer["body"]["status"]), (&json!(200), &json!("accepted")));
    let [event] = botdistrikt.events().await.try_into().unwrap();
    assert_eq!(answer["body"]["event"], event["id"]);
    let (data, user) = (&event["data"], &registered["user"]);
    let reported = json!({
        "id": registered["subscriber"], "platform": "botdistrikt", "connection": botdistrikt.connection,
        "platform_id": "u-1", "name": null, "first_name": user["first_name"], "last_name": null, "email": null,
        "phone": null, "channel": "web", "locale": null, "timezone": null, "picture": null, "tags": [],
        "attributes": {}, "platform_user": null, "first_seen": null, "last_seen": null,
    });
    let whole = json!({
        "specversion": "1.0", "id": event["id"], "source": format!("/hooks/{}", hook.id),
        "type": "botdistrikt.message.sent", "subject": registered["subscriber"], "time": event["time"],
        "datacontenttype": "application/json",
        "data": {
            "hook": hook.id, "connection": botdistrikt.connection, "subscriber": reported,
            "source": { "kind": "human", "id": "member-7" }, "message": { "text": "Hello" }, "unmapped": [],
            "query": null, "truncated": false,
            "raw": {
                "webchat_id": "u-1", "user": user, "message": { "text": "Hello" },
                "created_at": data["raw"]["created_at"],
            },
        },
    });
    assert_eq!(event, whole);
}

#[tokio::test]
async fn every_source_is_kept_and_any_other_is_unknown() {
    let (botdistrikt, hook) = start_with(json!({ "include_bot": true })).await;
    let long = "é".repeat(300);
    let cases: [(Option<&str>, Option<&str>, &str, Value); 19] = [
        (Some("human"), Some("7"), "human", json!("7")),
        (Some("human"), None, "human", Value::Null),
        (Some("broadcast"), Some("b-1"), "broadcast", json!("b-1")),
        (Some("bot"), None, "bot", Value::Null),
        (Some("bot"), Some("9"), "bot", json!("9")),
        (Some("Human"), Some("7"), "human", json!("7")),
        (Some("BROADCAST"), Some(" 7 "), "broadcast", json!("7")),
        (Some(" bot\t"), None, "bot", Value::Null),
        (Some("unknown"), Some("7"), "unknown", json!("7")),
        (Some("robot"), Some("7"), "unknown", json!("7")),
        (Some("human, bot"), None, "unknown", Value::Null),
        (Some("humans"), None, "unknown", Value::Null),
        (Some("h\u{fc}man"), None, "unknown", Value::Null),
        (Some(""), Some(""), "unknown", Value::Null),
        (Some(" "), Some(" \t"), "unknown", Value::Null),
        (None, None, "unknown", Value::Null),
        (None, Some("7"), "unknown", json!("7")),
        (Some("human"), Some("{\"a\": 1}"), "human", json!("{\"a\": 1}")),
        (Some("human"), Some(&long), "human", json!("é".repeat(256))),
    ];
    for (number, (source, id, kind, shown)) in cases.iter().enumerate() {
        let event = botdistrikt.event_of(&hook, source.map(str::as_bytes), id.map(str::as_bytes), &body(number)).await;
        assert_eq!(event["data"]["source"], json!({ "kind": kind, "id": shown }), "{source:?} {id:?}");
        assert_eq!(event["data"]["unmapped"], json!([]));
    }
    let broken = botdistrikt.event_of(&hook, Some(b"human"), Some(b"7\xff8"), &body(cases.len())).await;
    assert_eq!(broken["data"]["source"], json!({ "kind": "human", "id": "7\u{fffd}8" }));
    assert_eq!(botdistrikt.events().await.len(), cases.len() + 1);
    assert_eq!(rejected(&botdistrikt.bundle, &hook.id).await, [Value::Null; 0]);
}

#[tokio::test]
async fn the_bots_own_answers_are_ignored_unless_they_are_asked_for() {
    let (botdistrikt, hook) = start_with(json!({})).await;
    botdistrikt.register("u-1").await;
    botdistrikt.sandbox.set_event_webhook(&hook.url);
    let before = counts(&botdistrikt.bundle).await;
    let is_ignored = async |settings: Value| {
        botdistrikt.bundle.patch(&path(&hook), &json!({ "settings": settings }), 200).await;
        let answer = botdistrikt.sandbox.bot_says(json!({ "source": "bot" })).await;
        assert_eq!(answer["body"], json!({ "status": "ignored", "event": null }), "{settings}: {answer}");
        for source in ["bot", "Bot", " BOT "] {
            let answer = botdistrikt.post(&hook, Some(source.as_bytes()), Some(b"7"), &body(1)).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("ignored")));
            assert!(!answer.headers.contains_key("x-switchboard-event"));
        }
    };
    for settings in [json!({}), json!({ "include_bot": false }), json!({ "include_bot": null, "dedupe_seconds": 0 })] {
        is_ignored(settings).await;
    }
    let unreadable = botdistrikt.bundle.http.post(&hook.url).header(SOURCE, "bot").body("neither");
    assert_eq!(tests::expect(unreadable, 200).await["status"], "ignored");
    assert_eq!(counts(&botdistrikt.bundle).await, before);
    assert_eq!(rejected(&botdistrikt.bundle, &hook.id).await, [Value::Null; 0]);

    botdistrikt.bundle.patch(&path(&hook), &json!({ "settings": { "include_bot": true } }), 200).await;
    let answer = botdistrikt.sandbox.bot_says(json!({ "source": "bot" })).await;
    assert_eq!(answer["body"]["status"], "accepted");
    let [event] = botdistrikt.events().await.try_into().unwrap();
    assert_eq!(event["data"]["source"], json!({ "kind": "bot", "id": null }));
    is_ignored(json!({ "include_bot": false })).await;
    // Events accepted before the change stay.
    assert_eq!(botdistrikt.events().await, [event]);
    for wrong in [json!("yes"), json!(1), json!([])] {
        let settings = json!({ "settings": { "include_bot": wrong } });
        let request = botdistrikt.bundle.request(Method::PATCH, &path(&hook)).json(&settings);
        assert_eq!(pointers(&refused(request, 422, "invalid_body").await), ["/settings/include_bot"]);
    }
}

#[test]
fn a_message_that_is_ignored_is_counted_in_the_log() {
    let log = crate::support::log::Log::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (botdistrikt, hook) = start_with(json!({})).await;
        botdistrikt.post(&hook, Some(b"bot"), Some(b"member-of-the-log"), &body(1)).await;
        let id = string(&botdistrikt.event_of(&hook, Some(b"human"), Some(b"member-of-the-log"), &body(1)).await["id"]);
        let lines: Vec<Value> = log.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut answered = lines.iter().map(|line| &line["fields"]);
        let ignored = answered.find(|line| line["outcome"] == "ignored").unwrap();
        assert_eq!((&ignored["status"], &ignored["event"]), (&json!(200), &Value::Null));
        assert_eq!(ignored["route"], "POST /hooks/botdistrikt/message/{token}");
        assert_eq!(answered.find(|line| line["outcome"] == "accepted").unwrap()["event"], id);
        assert!(!log.text().contains("member-of-the-log"));
    });
}

#[tokio::test]
async fn the_same_body_of_another_source_is_another_event() {
    let (botdistrikt, hook) = start_with(json!({ "include_bot": true })).await;
    botdistrikt.bundle.clock.hold();
    let sources: [(Header<'_>, Header<'_>); 9] = [
        (Some(b"human"), Some(b"7")),
        (Some(b"human"), Some(b"8")),
        (Some(b"human"), None),
        (Some(b"broadcast"), Some(b"7")),
        (Some(b"bot"), None),
        (Some(b"robot"), None),
        (Some(b"human7"), None),
        (None, Some(b"human")),
        (None, None),
    ];
    let mut ids = BTreeSet::new();
    for (source, id) in sources {
        let first = string(&botdistrikt.event_of(&hook, source, id, &body(1)).await["id"]);
        botdistrikt.bundle.clock.advance(Duration::from_millis(599_999));
        let again = botdistrikt.post(&hook, source, id, &body(1)).await;
        assert_eq!(again.json(), json!({ "status": "duplicate", "event": first }));
        assert_eq!(again.headers["x-switchboard-event"], first.as_str());
        botdistrikt.bundle.clock.advance(Duration::from_millis(1));
        let second = string(&botdistrikt.event_of(&hook, source, id, &body(1)).await["id"]);
        let other = string(&botdistrikt.event_of(&hook, source, id, &body(2)).await["id"]);
        ids.extend([first, second, other]);
    }
    assert_eq!(ids.len(), sources.len() * 3);
    let listed: BTreeSet<String> = botdistrikt.events().await.iter().map(|event| string(&event["id"])).collect();
    assert_eq!(listed, ids);

    // Without a window each is an event.
    botdistrikt.bundle.patch(&path(&hook), &json!({ "settings": { "dedupe_seconds": 0 } }), 200).await;
    for _ in 0..2 {
        botdistrikt.event_of(&hook, Some(b"human"), Some(b"7"), &body(1)).await;
    }
}

#[tokio::test]
async fn a_sample_is_a_message_of_a_human() {
    let (botdistrikt, hook) = start_with(json!({})).await;
    let sent = botdistrikt.bundle.post(&format!("{}/sample", path(&hook)), &json!({}), 200).await;
    assert_eq!((&sent["status"], &sent["answer"]["status"]), (&json!(200), &json!("accepted")), "{sent}");
    let [event] = botdistrikt.events().await.try_into().unwrap();
    let data = &event["data"];
    assert_eq!((&sent["event"], &sent["body"]), (&event["id"], &data["raw"]));
    assert_eq!(data["source"], json!({ "kind": "human", "id": "17" }));
    assert_eq!((&data["unmapped"], &data["message"]), (&json!([]), &data["raw"]["message"]));
    assert_eq!(data["subscriber"]["platform_id"], data["raw"]["user"]["webchat_id"]);
    let again = botdistrikt.bundle.post(&format!("{}/sample", path(&hook)), &json!({}), 200).await;
    assert_eq!((&again["answer"]["status"], &again["event"]), (&json!("duplicate"), &event["id"]));
}

#[tokio::test]
async fn a_user_and_a_message_are_found_in_likely_places() {
    let (botdistrikt, hook) = start_with(json!({})).await;
    let user = json!({
        "webchat_id": "u-1", "name": "Ava Chen", "first_name": "Ava", "last_name": "Chen", "email": "ava@example.com",
        "phone": "+41 79", "channel": "web", "timezone": "Europe/Zurich", "profile_pic": "https://example.com/a.png",
        "tags": ["vip"], "active": true,
    });
    for (body, message) in [
        (json!({ "user": user, "message": { "text": "Hi", "n": 1.5 } }), json!({ "text": "Hi", "n": 1.5 })),
        (json!({ "bot_user": user, "response": "Hi" }), json!("Hi")),
        (json!({ "user": user, "message": null, "responses": ["Hi", { "a": null }] }), json!(["Hi", { "a": null }])),
        (json!({ "user": user, "text": "Hi", "message": false }), json!(false)),
    ] {
        let data = &botdistrikt.event_of(&hook, Some(b"human"), None, &body).await["data"];
        assert_eq!((&data["message"], &data["unmapped"]), (&message, &json!([])), "{body}");
        let reported = &data["subscriber"];
        for (field, name) in [("platform_id", "webchat_id"), ("picture", "profile_pic")] {
            assert_eq!(reported[field], user[name], "{field}");
        }
        for field in ["name", "first_name", "last_name", "email", "phone", "channel", "timezone", "tags"] {
            assert_eq!(reported[field], user[field], "{field}");
        }
        assert_eq!(reported["platform_user"], Value::Null);
    }
    for (body, id) in [
        (json!({ "webchat_id": "u-2", "text": 1 }), json!("u-2")),
        (json!({ "webchatId": 3, "text": 1 }), json!("3")),
        (json!({ "user": { "name": "Ben" }, "webchat_id": "u-4", "text": 1 }), json!("u-4")),
    ] {
        let data = &botdistrikt.event_of(&hook, None, None, &body).await["data"];
        assert_eq!((&data["subscriber"]["platform_id"], &data["unmapped"]), (&id, &json!([])), "{body}");
    }
    for (body, unmapped) in [
        (json!({ "user": { "webchat_id": "u-5" } }), json!(["message"])),
        (json!({ "user": { "id": "u-5" }, "message": "Hi" }), json!(["subscriber.id"])),
        (json!({ "user": { "webchat_id": "" }, "webchat_id": "u-4", "text": 1 }), json!(["subscriber.id"])),
        (json!({ "message": null }), json!(["message", "subscriber.id"])),
        (json!([1]), json!(["message", "subscriber.id"])),
        (json!("Hi"), json!(["message", "subscriber.id"])),
    ] {
        let event = botdistrikt.event_of(&hook, Some(b"broadcast"), Some(b"b-1"), &body).await;
        let data = &event["data"];
        assert_eq!((&data["unmapped"], &data["raw"]), (&unmapped, &body));
        assert_eq!(data["message"].is_null(), unmapped[0] == "message", "{event}");
        let lost = unmapped.as_array().unwrap().contains(&json!("subscriber.id"));
        assert_eq!((data["subscriber"].is_null(), event.get("subject").is_none()), (lost, lost), "{event}");
        assert_eq!(data["source"], json!({ "kind": "broadcast", "id": "b-1" }));
    }
    botdistrikt.events().await;
    botdistrikt.bundle.until_count("/v1/subscribers", 5).await;
}

#[tokio::test]
async fn a_form_becomes_an_event() {
    let (botdistrikt, hook) = start_with(json!({ "mapping": { "subscriber.email": "/user[email]" } })).await;
    let form = "webchat_id=u-1&text=Hi+there&user%5Bemail%5D=ava%40example.com";
    for kind in ["application/x-www-form-urlencoded", "text/plain"] {
        let request = botdistrikt.bundle.http.post(&hook.url).header(SOURCE, "human").header(SOURCE_ID, kind);
        let receipt = tests::expect(request.header("content-type", kind).body(form), 200).await;
        let event = botdistrikt.event(&string(&receipt["event"])).await;
        let data = &event["data"];
        assert_eq!((&data["message"], &data["source"]["id"]), (&json!("Hi there"), &json!(kind)));
        assert_eq!((&data["subscriber"]["platform_id"], &data["unmapped"]), (&json!("u-1"), &json!([])));
        assert_eq!(data["subscriber"]["email"], "ava@example.com");
    }
    assert_eq!(botdistrikt.events().await.len(), 2);
}

#[tokio::test]
async fn a_mapping_and_a_remap_keep_the_source() {
    let (botdistrikt, hook) = start_with(json!({})).await;
    let body = json!({ "who": { "a/b": "u-7" }, "said": [{ "t": "Hi" }], "text": "wrong", "webchat_id": "wrong" });
    let sources: [(Header<'_>, Header<'_>); 3] =
        [(Some(b"human"), Some(b"7")), (Some(b"broadcast"), Some(b"b-1")), (None, None)];
    let mut before = Vec::new();
    for (source, id) in sources {
        before.push(botdistrikt.event_of(&hook, source, id, &body).await);
    }
    botdistrikt.bundle.until_count("/v1/subscribers", 1).await;
    let mapping =
        json!({ "subscriber.id": "/who/a~1b", "message": "/said/0/t", "source": "/text", "source.kind": "/text" });
    botdistrikt.bundle.patch(&path(&hook), &json!({ "settings": { "mapping": mapping } }), 200).await;
    let remapped = botdistrikt.bundle.post(&format!("{}/remap", path(&hook)), &json!({}), 200).await;
    assert_eq!(remapped, json!({ "read": 3, "changed": 3, "next": null }));
    for before in &before {
        let after = botdistrikt.event(&string(&before["id"])).await;
        assert_eq!((&after["data"]["source"], &after["data"]["raw"]), (&before["data"]["source"], &body));
        assert_eq!((&before["data"]["message"], &after["data"]["message"]), (&json!("wrong"), &json!("Hi")));
        assert_eq!(after["data"]["subscriber"]["platform_id"], "u-7");
    }
    let reported = botdistrikt.event_of(&hook, Some(b"human"), Some(b"9"), &body).await;
    assert_eq!(
        (&reported["data"]["message"], &reported["data"]["source"]),
        (&json!("Hi"), &json!({ "kind": "human", "id": "9" }))
    );
    assert_eq!(botdistrikt.events().await.len(), 4);
}

#[tokio::test]
async fn a_call_that_is_no_event_is_kept_with_the_reason() {
    let (botdistrikt, hook) = start_with(json!({})).await;
    let large = json!({ "text": "x".repeat(256 * 1024) }).to_string();
    for (body, status, code) in [("{\"message\":", 400, "unreadable_body"), (&large, 413, "body_too_large")] {
        let request = botdistrikt.bundle.http.post(&hook.url).header(SOURCE, "human").body(body.to_owned());
        problem(&answer(request).await, status, code);
        let kept = rejected(&botdistrikt.bundle, &hook.id).await;
        assert_eq!((&kept[0]["code"], &kept[0]["bytes"]), (&json!(code), &json!(body.len())));
    }
    botdistrikt.bundle.patch(&path(&hook), &json!({ "enabled": false }), 200).await;
    for source in [Some(&b"human"[..]), Some(b"bot"), None] {
        let answer = botdistrikt.post(&hook, source, None, &body(1)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("ignored")));
    }
    let kept = rejected(&botdistrikt.bundle, &hook.id).await;
    let codes: Vec<&Value> = kept.iter().map(|call| &call["code"]).collect();
    assert_eq!(codes, ["hook_disabled", "hook_disabled", "body_too_large", "unreadable_body"], "the bot's is ignored");
    assert_eq!(botdistrikt.events().await, [Value::Null; 0]);
}
