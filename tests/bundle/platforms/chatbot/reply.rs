//! Replies to ChatBot: the hook's `reply`, with values of the event.

use crate::support::{
    assertions::{pointers, refused},
    chatbot_hooks::{TRIGGER, path, start},
};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tests::{Bundle, TestHook};

fn text(message: &str) -> Value {
    json!({ "type": "text", "message": message })
}

fn reply(messages: &[&str]) -> Value {
    json!({ "reply": { "responses": messages.iter().map(|message| text(message)).collect::<Value>() } })
}

async fn settings(bundle: &Bundle, hook: &TestHook, settings: Value) -> Value {
    bundle.patch(&path(hook), &json!({ "settings": settings }), 200).await["settings"].take()
}

async fn answered(bundle: &Bundle, hook: &TestHook, body: &Value) -> Value {
    let answer = bundle.send(&hook.url, body.to_string()).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    answer.json()
}

#[tokio::test]
async fn the_reply_is_filled_in_from_the_event() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook_with(
        TRIGGER,
        json!({ "reply": {
            "responses": [
                { "type": "text", "delay": 1000, "message": "Hi {{/subscriber/name}}, one {{ /attributes/product }}?" },
                { "type": "randomText", "messages": ["{{/node/name}}", "{{/raw/chatId}}", "{{name}}"] },
                { "type": "image", "imageUrl": "https://example.com/{{/node/name}}.png", "wide": true, "n": null },
            ],
            "attributes": { "plan": "{{/subscriber/attributes/plan}}", "seen": true, "count": 3, "none": "{{/x}}" },
        } }),
    );
    let hook = hook.await;
    let said = sandbox.say(json!({ "attributes": { "product": "Latte" } })).await;
    let chat = sandbox.users()[0]["conversations"][0]["id"].clone();
    assert!(said[0]["milliseconds"].as_u64().unwrap() < 10_000);
    assert_eq!(
        said[0]["body"],
        json!({
            "responses": [
                { "type": "text", "delay": 1000, "message": "Hi Ava, one Latte?" },
                { "type": "randomText", "messages": ["Switchboard", chat, "{{name}}"] },
                { "type": "image", "imageUrl": "https://example.com/Switchboard.png", "wide": true, "n": null },
            ],
            "attributes": { "plan": "gold", "seen": true, "count": 3, "none": "" },
        })
    );
    let set = sandbox.users()[0]["sessionAttributes"].clone();
    assert_eq!((&set["plan"], &set["seen"], &set["product"]), (&json!("gold"), &json!(true), &json!("Latte")));
    bundle.delete(&path(&hook), 204).await;
}

#[tokio::test]
async fn the_legacy_api_is_answered_in_its_own_shape() {
    let (sandbox, bundle) = start().await;
    let responses = json!([
        { "type": "text", "delay": 5, "message": "You said {{/message/text}}" },
        { "type": "text", "elements": ["as it was {{/message/text}}"] },
        { "type": "end" },
    ]);
    let attributes = json!({ "plan": "{{/attributes/plan}}", "seen": true });
    let hook =
        bundle.hook_with(TRIGGER, json!({ "reply": { "responses": responses, "attributes": attributes } })).await;
    let said = sandbox.say(json!({ "version": 1, "text": "Hi", "attributes": { "plan": "gold" } })).await;
    let set = json!({ "type": "setAttributes", "elements": [
        { "name": "plan", "action": "set", "value": "gold" }, { "name": "seen", "action": "set", "value": true },
    ] });
    let mut expected = vec![
        json!({ "type": "text", "delay": 5, "elements": ["You said Hi"] }),
        json!({ "type": "text", "elements": ["as it was Hi"] }),
        json!({ "type": "end" }),
        set.clone(),
    ];
    assert_eq!(said[0]["body"], json!({ "responses": expected }));
    settings(&bundle, &hook, json!({ "reply": { "attributes": attributes } })).await;
    expected.drain(..3);
    let said = sandbox.say(json!({ "version": 1, "text": "Hi again" })).await;
    assert_eq!(said[0]["body"], json!({ "responses": [set] }));
}

#[tokio::test]
async fn the_reply_is_valid_for_every_event() {
    let (_sandbox, bundle) = start().await;
    let hook = bundle.hook_with(TRIGGER, reply(&["[{{/attributes/a}}|{{/subscriber/name}}]"])).await;
    for (number, (value, filled)) in [
        (json!("é ☕ \"quoted\" \\ \u{0}\n"), "é ☕ \"quoted\" \\ \u{0}\n"),
        (json!("{{/raw}} {{/subscriber/platform_user}}"), "{{/raw}} {{/subscriber/platform_user}}"),
        (json!({ "b": [1, null] }), "{\"b\":[1,null]}"),
        (json!(1.50), "1.5"),
        (json!(true), "true"),
        (json!(null), ""),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "messageId": format!("m-{number}"), "attributes": { "a": value } });
        let answer = answered(&bundle, &hook, &body).await;
        assert_eq!(answer["responses"][0]["message"], format!("[{filled}|]"), "{body}");
    }
    for body in [json!([]), json!("text"), json!(5), json!(null), json!([{ "result": 1 }])] {
        assert_eq!(answered(&bundle, &hook, &body).await["responses"][0]["message"], "[|]", "{body}");
    }
    // A duplicate is answered for what it says itself.
    let again = json!({ "messageId": "m-0", "attributes": { "a": "again" } });
    assert_eq!(answered(&bundle, &hook, &again).await["responses"][0]["message"], "[again|]");
}

#[tokio::test]
async fn without_a_reply_the_answer_is_empty_and_valid() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let empty = json!({ "responses": [], "attributes": {} });
    for own in [json!({}), json!({ "reply": null }), json!({ "reply": {} }), json!({ "reply": { "responses": [] } })] {
        settings(&bundle, &hook, own).await;
        assert_eq!(sandbox.say(json!({})).await[0]["body"], empty);
        assert_eq!(sandbox.say(json!({ "version": 1 })).await[0]["body"]["responses"], json!([]));
    }
}

#[tokio::test]
async fn settings_are_replaced_whole_and_shown_whole() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let unset =
        json!({ "mapping": {}, "dedupe_seconds": null, "keep_query": null, "reply": null, "require_token": null });
    assert_eq!(bundle.get(&path(&hook), 200).await["settings"], unset);
    let mut own = reply(&["Hello {{/subscriber/name}}"]);
    own["reply"]["attributes"] = json!({ "big": 12_345_678_901_234_567_890_u64, "small": 0.1, "": "" });
    own["require_token"] = json!(true);
    let shown = settings(&bundle, &hook, own.clone()).await;
    let mut whole = unset.clone();
    whole["reply"] = own["reply"].clone();
    whole["require_token"] = json!(true);
    assert_eq!(shown, whole);
    assert_eq!(bundle.get(&path(&hook), 200).await["settings"], whole);
    assert_eq!(settings(&bundle, &hook, shown).await, whole, "what is shown is taken");
    assert_eq!(sandbox.say(json!({})).await[0]["body"]["responses"], json!([text("Hello Ava")]));
    let renamed = bundle.patch(&path(&hook), &json!({ "name": "Renamed" }), 200).await;
    assert_eq!(renamed["settings"], whole, "what is left out stays");
    let shown = settings(&bundle, &hook, json!({ "dedupe_seconds": 5 })).await;
    assert_eq!(
        (&shown["reply"], &shown["require_token"], &shown["dedupe_seconds"]),
        (&json!(null), &json!(null), &json!(5))
    );
    assert_eq!(sandbox.say(json!({})).await[0]["body"]["responses"], json!([]));
}

#[tokio::test]
async fn settings_that_do_not_fit_are_refused_with_every_fault() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    let hook = bundle.hook_on(&connection, TRIGGER, json!({})).await;
    let many: Vec<Value> = (0..51).map(|_| text("x")).collect();
    let attributes: Map<String, Value> = (0..100).map(|n| (n.to_string(), json!("x"))).collect();
    for (settings, at) in [
        (json!({ "answer": 1 }), vec!["/answer"]),
        (json!({ "reply": "Hi" }), vec!["/reply"]),
        (json!({ "reply": { "texts": [] } }), vec!["/reply/texts"]),
        (json!({ "reply": { "responses": "Hi", "attributes": [] } }), vec!["/reply/attributes", "/reply/responses"]),
        (json!({ "reply": { "responses": null } }), vec!["/reply/responses"]),
        (json!({ "reply": { "attributes": null } }), vec!["/reply/attributes"]),
        (json!({ "reply": { "responses": ["Hi"] } }), vec!["/reply/responses/0"]),
        (json!({ "reply": { "responses": [{ "message": "Hi" }] } }), vec!["/reply/responses/0/type"]),
        (json!({ "reply": { "responses": many } }), vec!["/reply/responses"]),
        (json!({ "reply": { "attributes": attributes } }), vec!["/reply/attributes"]),
        (
            json!({ "reply": { "attributes": { "a/b": {}, "c": null } } }),
            vec!["/reply/attributes/a~1b", "/reply/attributes/c"],
        ),
        (
            reply(&["{{/a~}}", "{{/fine}}", "{{/b~2}}"]),
            vec!["/reply/responses/0/message", "/reply/responses/2/message"],
        ),
        (json!({ "reply": { "attributes": { "a": "{{/~}}" } } }), vec!["/reply/attributes/a"]),
        (reply(&[&"x".repeat(33 * 1024)]), vec!["/reply"]),
        (json!({ "require_token": "yes" }), vec!["/require_token"]),
        (json!({ "dedupe_seconds": -1, "mapping": { "tag": "x" } }), vec!["/dedupe_seconds", "/mapping/tag"]),
    ] {
        let at: Vec<String> = at.iter().map(|pointer| format!("/settings{pointer}")).collect();
        let new = json!({ "trigger": TRIGGER, "name": "x", "connection": connection, "settings": settings });
        let made = bundle.request(Method::POST, "/v1/hooks").json(&new);
        assert_eq!(pointers(&refused(made, 422, "invalid_body").await), at, "{settings}");
        let changed = bundle.request(Method::PATCH, &path(&hook)).json(&json!({ "settings": settings }));
        assert_eq!(pointers(&refused(changed, 422, "invalid_body").await), at, "{settings}");
    }
    assert_eq!(bundle.all("/v1/hooks").await.len(), 1);
    assert_eq!(sandbox.requests().len(), 1, "ChatBot received only the first");
    let largest = reply(&[&"x".repeat(32 * 1024 - 50)]);
    bundle.patch(&path(&hook), &json!({ "settings": largest }), 200).await;
    assert_eq!(sandbox.say(json!({})).await[0]["body"]["responses"], largest["reply"]["responses"]);
}
