//! `botmother.watch-request`: what a bot's API-request component posts, and what it is answered.

use crate::support::{
    assertions::{pointers, problem, refused, rejected},
    botmother::Botmother,
    documents::document,
    harness::{Fault as StoreFault, Harness},
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use store::hooks::Hook;
use tests::{Bundle, Sandbox, TestHook, string};

const TRIGGER: &str = "botmother.watch-request";
const BM_ID: &str = "5c517b7773515eaa3078e2f0";

async fn start() -> (Sandbox, Bundle) {
    let Botmother { sandbox, bundle, .. } = Botmother::start().await;
    (sandbox, bundle)
}

fn path(hook: &TestHook) -> String {
    format!("/v1/hooks/{}", hook.id)
}

/// The body that the hook says is to be pasted.
async fn to_paste(bundle: &Bundle, hook: &TestHook) -> String {
    let setup = string(&bundle.get(&path(hook), 200).await["setup"]);
    setup.split_once("A body to paste: ").unwrap().1.to_owned()
}

/// Has a user reach a component with this body, and returns the sandbox's report of the answer.
async fn asked(sandbox: &Sandbox, hook: &TestHook, body: Value, text: &str) -> Value {
    let mut reported = sandbox.request_component(json!({ "url": hook.url, "body": body, "text": text })).await;
    assert!(reported["milliseconds"].take().as_u64().unwrap() < 60_000);
    reported
}

/// The only event's data.
async fn data(bundle: &Bundle) -> Value {
    let [event] = bundle.all("/v1/events").await.try_into().unwrap();
    event["data"].clone()
}

async fn reply(bundle: &Bundle, hook: &TestHook, reply: &Value) {
    bundle.patch(&path(hook), &json!({ "settings": { "reply": reply, "dedupe_seconds": 0 } }), 200).await;
}

#[tokio::test]
async fn the_body_to_paste_becomes_an_event_and_a_subscriber() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let to_paste = to_paste(&bundle, &hook).await;
    assert!(document("docs/modules.md").contains(&format!("\n{to_paste}\n")), "the document has the same");
    let mut body: Value = serde_json::from_str(&to_paste).unwrap();
    body["variables"] = json!({ "order": "42", "said": "{{last_input}}" });
    let reported = asked(&sandbox, &hook, body, "Where \"is\"\nmy order? ☕").await;
    let [event] = bundle.all("/v1/events").await.try_into().unwrap();
    let receipt = json!({ "status": "accepted", "event": event["id"] });
    assert_eq!(reported, json!({ "status": 200, "last_request": receipt, "screen": "next", "milliseconds": null }));

    assert_eq!(event["type"], "botmother.request.received");
    let data = &event["data"];
    let said = "Where \"is\"\nmy order? ☕";
    assert_eq!((&data["text"], &data["variables"]), (&json!(said), &json!({ "order": "42", "said": said })));
    assert_eq!((&data["unmapped"], &data["hook"]), (&json!([]), &json!(hook.id)));
    let person = json!({
        "id": event["subject"], "platform": "botmother", "connection": hook.connection, "platform_id": BM_ID,
        "name": "Mia Lind", "first_name": null, "last_name": null, "email": null, "phone": null, "channel": "tg",
        "locale": "en", "timezone": null, "picture": null, "tags": [], "attributes": { "platform_id": "100200300" },
        "platform_user": null, "first_seen": null, "last_seen": null,
    });
    assert_eq!(data["subscriber"], person);
    let raw = json!({
        "platform": "tg", "platform_id": "100200300", "bm_id": BM_ID, "full_name": "Mia Lind", "language": "en",
        "text": said, "variables": { "order": "42", "said": said },
    });
    assert_eq!(data["raw"], raw);
    let [mut kept] = bundle.until_count("/v1/subscribers", 1).await.try_into().unwrap();
    for seen in ["first_seen", "last_seen"] {
        assert_eq!(kept[seen].take(), event["time"]);
    }
    assert_eq!(kept, person);
}

#[tokio::test]
async fn every_variable_that_botmother_has_is_read_wherever_authors_put_them() {
    let (sandbox, bundle) = start().await;
    let user = json!({
        "platform": "{{this_user.platform}}", "platform_id": "{{this_user.platform_id}}", "phone": "+100",
        "bm_id": "{{this_user.bm_id}}", "firstname": "{{this_user.firstname}}", "lastname": "{{this_user.lastname}}",
        "full_name": "{{this_user.full_name}}", "username": "{{this_user.username}}",
        "language": "{{this_user.language}}", "country": "{{this_user.country}}",
    });
    for body in [user.clone(), json!({ "user": user }), json!({ "this_user": user })] {
        let hook = bundle.hook(TRIGGER).await;
        let reported = asked(&sandbox, &hook, body, "").await;
        let event = string(&reported["last_request"]["event"]);
        let data = bundle.get(&format!("/v1/events/{event}"), 200).await["data"].clone();
        let person = &data["subscriber"];
        for (field, value) in [
            ("platform_id", BM_ID),
            ("name", "Mia Lind"),
            ("first_name", "Mia"),
            ("last_name", "Lind"),
            ("phone", "+100"),
            ("channel", "tg"),
            ("locale", "en"),
        ] {
            assert_eq!(person[field], value, "{field}: {data}");
        }
        let attributes = json!({ "platform_id": "100200300", "username": "mialind", "country": "SE" });
        assert_eq!(person["attributes"], attributes);
        assert_eq!((&data["text"], &data["variables"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn a_person_on_two_messengers_is_one_subscriber() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let hook = bundle.hook(TRIGGER).await;
    let other = bundle.hook_on(&hook.connection, TRIGGER, json!({})).await;
    for (hook, platform, id) in [(&hook, "tg", "1"), (&other, "wa", "+100")] {
        bundle.accept(hook, &json!({ "bm_id": BM_ID, "platform": platform, "platform_id": id })).await;
        bundle.clock.advance(Duration::from_secs(1));
    }
    // The same id at a messenger is not the same person.
    bundle
        .accept(&hook, &json!({ "bm_id": "5c517b7773515eaa3078e2f1", "platform": "wa", "platform_id": "+100" }))
        .await;
    let people = bundle.until_count("/v1/subscribers", 2).await;
    let person = people.iter().find(|person| person["platform_id"] == BM_ID).unwrap();
    tests::eventually(|| async {
        let person = bundle.get(&format!("/v1/subscribers/{}", string(&person["id"])), 200).await;
        (person["channel"] == "wa" && person["attributes"]["platform_id"] == "+100").then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_a_bm_id_nobody_is_known_unless_a_mapping_says_who() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let body = json!({ "platform_id": "{{this_user.platform_id}}", "bm_id": "", "text": "{{last_input}}" });
    let reported = asked(&sandbox, &hook, body, "Hi").await;
    assert_eq!((&reported["status"], &reported["screen"]), (&json!(200), &json!("next")));
    let unknown = data(&bundle).await;
    assert_eq!((&unknown["unmapped"], &unknown["subscriber"]), (&json!(["subscriber.id"]), &Value::Null));
    assert_eq!(unknown["text"], "Hi");

    let mapping = json!({ "subscriber.id": "/platform_id", "subscriber.attributes.said": "/text", "text": "/none" });
    bundle.patch(&path(&hook), &json!({ "settings": { "mapping": mapping } }), 200).await;
    let remapped = bundle.post(&format!("{}/remap", path(&hook)), &json!({}), 200).await;
    assert_eq!((&remapped["read"], &remapped["changed"]), (&json!(1), &json!(1)));
    let known = data(&bundle).await;
    assert_eq!((&known["subscriber"]["platform_id"], &known["unmapped"]), (&json!("100200300"), &json!([])));
    assert_eq!(known["subscriber"]["attributes"], json!({ "platform_id": "100200300", "said": "Hi" }));
    assert_eq!(known["text"], Value::Null, "a mapping is in place of the candidates");
    let [person] = bundle.until_count("/v1/subscribers", 1).await.try_into().unwrap();
    assert_eq!(person["platform_id"], "100200300");
}

#[tokio::test]
async fn the_reply_is_the_bots_last_request_whatever_json_it_is() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let body =
        json!({ "bm_id": BM_ID, "full_name": "{{this_user.full_name}}", "text": "{{last_input}}", "n": [1, null] });
    let said = "a \"b\" \\ {{/subscriber/name}}\n☕";
    for (template, filled) in [
        (
            json!({ "hi": "{{/subscriber/name}}", "n": 1.5, "no": null }),
            json!({ "hi": "Mia Lind", "n": 1.5, "no": null }),
        ),
        (json!(["{{/text}}", { "{{/text}}": true }]), json!([said, { "{{/text}}": true }])),
        (json!("You said {{ /text }}"), json!(format!("You said {said}"))),
        (json!("{{/raw/n}}{{/none}}{{this_user.x}}"), json!("[1,null]{{this_user.x}}")),
        (json!(42), json!(42)),
        (json!(0), json!(0)),
        (json!(true), json!(true)),
        (json!(false), json!(false)),
        (json!(""), json!("")),
        (json!({}), json!({})),
        (json!([]), json!([])),
    ] {
        reply(&bundle, &hook, &template).await;
        let reported = asked(&sandbox, &hook, body.clone(), said).await;
        assert_eq!(reported, json!({ "status": 200, "last_request": filled, "screen": "next", "milliseconds": null }));
    }
    // The event is in a header, as the body is the bot's.
    let answer = bundle.send(&hook.url, body.to_string()).await;
    assert_eq!((&answer.json(), &answer.headers["content-type"]), (&json!([]), &"application/json".parse().unwrap()));
    let event = answer.headers["x-switchboard-event"].to_str().unwrap();
    assert_eq!(bundle.get(&format!("/v1/events/{event}"), 200).await["data"]["raw"], body);
}

#[tokio::test]
async fn without_a_reply_the_bot_receives_the_outcome_of_its_request() {
    let (sandbox, bundle) = start().await;
    bundle.clock.hold();
    let hook = bundle.hook(TRIGGER).await;
    for own in [json!({}), json!({ "reply": null })] {
        bundle.patch(&path(&hook), &json!({ "settings": own }), 200).await;
        bundle.clock.advance(Duration::from_secs(601));
        for status in ["accepted", "duplicate"] {
            let reported = asked(&sandbox, &hook, json!({ "text": "{{last_input}}" }), "Hi").await;
            let newest = bundle.all("/v1/events").await[0]["id"].clone();
            assert_eq!(reported["last_request"], json!({ "status": status, "event": newest }));
        }
    }
    assert_eq!(bundle.all("/v1/events").await.len(), 2);
    // A reply that repeats the body until it is too large is none.
    let large = "{{/raw/x}}".repeat(100);
    bundle.patch(&path(&hook), &json!({ "settings": { "reply": [large] } }), 200).await;
    for (bytes, fits) in [(10_000, true), (11_000, false)] {
        let reported = asked(&sandbox, &hook, json!({ "x": "x".repeat(bytes) }), "").await;
        let last_request = &reported["last_request"];
        assert_eq!((&reported["screen"], last_request.is_array()), (&json!("next"), fits), "{bytes}");
        assert_eq!(last_request["status"] == "accepted", !fits, "{bytes}");
    }
    assert_eq!(bundle.all("/v1/events").await.len(), 4);
}

#[tokio::test]
async fn a_duplicate_is_answered_for_what_it_says() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook_with(TRIGGER, json!({ "reply": "You said {{/text}}" })).await;
    let body = json!({ "text": "{{last_input}}" });
    let mut events = Vec::new();
    for _ in 0..2 {
        assert_eq!(asked(&sandbox, &hook, body.clone(), "Hi").await["last_request"], "You said Hi");
        let answer = bundle.send(&hook.url, r#"{"text":"Hi"}"#).await;
        events.push(answer.headers["x-switchboard-event"].clone());
    }
    assert_eq!(events[0], events[1]);
    assert_eq!(bundle.all("/v1/events").await.len(), 1);
}

#[tokio::test]
async fn a_disabled_hook_replies_with_its_receipt_and_keeps_the_call() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook_with(TRIGGER, json!({ "reply": { "hi": "{{/text}}" } })).await;
    bundle.patch(&path(&hook), &json!({ "enabled": false }), 200).await;
    let reported = asked(&sandbox, &hook, json!({ "text": "{{last_input}}" }), "Hi").await;
    assert_eq!(reported["last_request"], json!({ "status": "ignored", "event": null }));
    assert_eq!((&reported["status"], &reported["screen"]), (&json!(200), &json!("next")));
    let answer = bundle.send(&hook.url, "no JSON at all").await;
    assert_eq!((answer.status.as_u16(), answer.headers.contains_key("x-switchboard-event")), (200, false));
    let kept = rejected(&bundle, &hook.id).await;
    assert_eq!(kept.iter().map(|call| string(&call["code"])).collect::<Vec<_>>(), ["hook_disabled", "hook_disabled"]);
    assert_eq!(kept[1]["body"], r#"{"text":"Hi"}"#);
    assert_eq!(bundle.all("/v1/events").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_body_that_its_template_breaks_is_kept_and_the_bot_receives_the_problem() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook_with(TRIGGER, json!({ "reply": "Thank you" })).await;
    let template = to_paste(&bundle, &hook).await;
    // As a bot that fills in its template without a look at what it is filled with.
    for (at, text) in ["I said \"hello\"", "two\nlines", "a \\ b", "\u{1}"].into_iter().enumerate() {
        let broken = template.replace("{{last_input}}", text);
        let answer = bundle.send(&hook.url, broken.clone()).await;
        let reported = problem(&answer, 400, "unreadable_body");
        assert!(!answer.headers.contains_key("x-switchboard-event"), "{reported}");
        let kept = rejected(&bundle, &hook.id).await;
        assert_eq!((kept.len(), &kept[0]["code"]), (at + 1, &json!("unreadable_body")));
        assert_eq!((&kept[0]["body"], &kept[0]["detail"]), (&json!(broken), &reported["detail"]));
    }
    let too_large = asked(&sandbox, &hook, json!({ "text": "x".repeat(256 * 1024) }), "").await;
    // To Botmother 4xx is a success: the bot reads what was wrong.
    assert_eq!((&too_large["status"], &too_large["screen"]), (&json!(413), &json!("next")));
    assert_eq!(too_large["last_request"]["code"], "body_too_large");
    let unknown = TestHook { url: format!("{}x", hook.url), ..hook };
    let reported = asked(&sandbox, &unknown, json!({}), "").await;
    assert_eq!((&reported["status"], &reported["last_request"]["code"]), (&json!(404), &json!("not_found")));
    assert_eq!(reported["screen"], "next");
    assert_eq!(bundle.all("/v1/events").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_request_that_is_not_stored_leads_to_the_error_screen() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook_with(TRIGGER, json!({ "reply": "Thank you" })).await;
    let harness = Harness::beside(&bundle);
    let down = harness.failing(RetryConfig::disabled(), |operation, _| match operation {
        "PutItem" => StoreFault::Unreached,
        _ => StoreFault::None,
    });
    for body in [r#"{"text":"Hi"}"#, "no JSON at all"] {
        let answer = down.send(&hook, body).await;
        problem(&answer, 503, "store_unavailable");
        assert!(!answer.headers.contains_key("x-switchboard-event"));
    }
    assert_eq!(harness.all("/v1/events").await, [Value::Null; 0]);
    // A hook that can't be read in full, through the door.
    let store = &bundle.local.app.store;
    let mut broken: Hook = store.find(&hook.id).await.unwrap().unwrap();
    broken.settings = serde_json::from_value(json!({ "own": "{" })).unwrap();
    store.update(&mut broken).await.unwrap();
    bundle.local.app.hooks.forget(&hook.id.parse().unwrap());
    let reported = asked(&sandbox, &hook, json!({ "text": "{{last_input}}" }), "Hi").await;
    assert_eq!((&reported["status"], &reported["screen"]), (&json!(500), &json!("error")));
    assert_eq!(reported["last_request"]["code"], "internal");
}

#[tokio::test]
async fn settings_are_shown_whole_and_refused_with_every_fault() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook(TRIGGER).await;
    let settings = async || bundle.get(&path(&hook), 200).await["settings"].take();
    assert_eq!(settings().await, json!({ "mapping": {}, "dedupe_seconds": null, "keep_query": null, "reply": null }));
    let whole = json!({
        "mapping": { "subscriber.id": "/platform_id" }, "dedupe_seconds": 0, "keep_query": true,
        "reply": { "big": 12_345_678_901_234_567_890_u64, "small": 0.1, "": [{}, null, "{{/text}}"] },
    });
    bundle.patch(&path(&hook), &json!({ "settings": whole }), 200).await;
    assert_eq!(settings().await, whole);
    bundle.patch(&path(&hook), &json!({ "settings": { "reply": false } }), 200).await;
    assert_eq!(settings().await, json!({ "mapping": {}, "dedupe_seconds": null, "keep_query": null, "reply": false }));
    for (own, at) in [
        (json!({ "require_token": true, "answer": 1 }), vec!["/answer", "/require_token"]),
        (json!({ "reply": ["{{/a~}}", { "b/c": "{{/~2}}" }, "{{/~0}}"] }), vec!["/reply/0", "/reply/1/b~1c"]),
        (json!({ "reply": "x".repeat(33 * 1024), "dedupe_seconds": -1 }), vec!["/dedupe_seconds", "/reply"]),
    ] {
        let at: Vec<String> = at.iter().map(|pointer| format!("/settings{pointer}")).collect();
        let changed = bundle.request(Method::PATCH, &path(&hook)).json(&json!({ "settings": own }));
        assert_eq!(pointers(&refused(changed, 422, "invalid_body").await), at, "{own}");
    }
    let sent = bundle.post(&format!("{}/sample", path(&hook)), &json!({}), 200).await;
    assert_eq!((&sent["status"], &sent["answer"]), (&json!(200), &json!(false)));
    assert!(sent["event"].is_string(), "{sent}");
}
