//! BotStar's HTTP block, whose body the bot's author defines, on a hook of BotStar's.
//! <https://docs.botstar.com/docs/en/http-blocks/>

use serde_json::{Value, json};
use tests::{Bundle, string};

#[tokio::test]
async fn a_body_with_the_expected_names_needs_no_mapping_and_a_reply_answers_the_block() {
    let bundle = Bundle::start().await;
    let set = json!({ "type": "set_variable", "data": { "kept": "{{/checkpoint/name}}" } });
    let reply = json!({ "messages": [{ "text": "Thank you, {{/subscriber/name}}." }], "actions": [set] });
    let hook = bundle.hook_with("botstar.watch-checkpoint-record", json!({ "reply": reply })).await;
    let body = json!({
        "user": { "id": "7", "name": "Ava Chen" }, "checkpoint": { "name": "Coffee Order" },
        "record": { "fields": { "Product": "Latte", "Quantity": "2" } },
    });
    let answer = bundle.send(&hook.url, body.to_string()).await;
    let reported = json!({
        "messages": [{ "text": "Thank you, Ava Chen." }],
        "actions": [{ "type": "set_variable", "data": { "kept": "Coffee Order" } }],
    });
    assert_eq!((answer.status.as_u16(), answer.json()), (200, reported));
    let event = answer.headers["x-switchboard-event"].to_str().unwrap();
    let data = bundle.get(&format!("/v1/events/{event}"), 200).await["data"].clone();
    assert_eq!((&data["raw"], &data["unmapped"]), (&body, &json!([])));
    let [record] = bundle.until_count("/v1/checkpoint-records", 1).await.try_into().unwrap();
    assert_eq!((&record["checkpoint"], &record["fields"]), (&json!("Coffee Order"), &body["record"]["fields"]));
}

#[tokio::test]
async fn a_body_that_an_author_defines_becomes_an_event_by_a_mapping() {
    let bundle = Bundle::start().await;
    let mapping = json!({
        "subscriber.id": "/who/uid", "subscriber.name": "/who/called", "subscriber.attributes.plan": "/plan",
        "checkpoint.name": "/step", "record.fields": "/answers",
    });
    let hook = bundle.hook_with("botstar.watch-checkpoint-record", json!({ "mapping": mapping })).await;
    let body = json!({
        "who": { "uid": 7, "called": "Ava Chen" }, "plan": "gold", "step": "Coffee Order",
        "answers": { "Product": "Latte", "Quantity": 2 },
    });
    let answer = bundle.send(&hook.url, body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let event = string(&answer.json()["event"]);
    // Without a reply it has neither of the block's `messages` and `actions`.
    assert_eq!(answer.json(), json!({ "status": "accepted", "event": event }));

    let data = bundle.get(&format!("/v1/events/{event}"), 200).await["data"].clone();
    assert_eq!((&data["raw"], &data["unmapped"]), (&body, &json!([])));
    assert_eq!(data["record"], json!({ "id": null, "fields": { "Product": "Latte", "Quantity": 2 } }));
    let [record] = bundle.until_count("/v1/checkpoint-records", 1).await.try_into().unwrap();
    assert_eq!((&record["checkpoint"], &record["fields"]), (&json!("Coffee Order"), &body["answers"]));
    let [person] = bundle.until_count("/v1/subscribers", 1).await.try_into().unwrap();
    assert_eq!((&person["id"], &person["platform_id"]), (&record["subscriber"], &json!("7")));
    assert_eq!((&person["name"], &person["attributes"]["plan"]), (&json!("Ava Chen"), &json!("gold")));
    assert_eq!(person["email"], Value::Null);
}
