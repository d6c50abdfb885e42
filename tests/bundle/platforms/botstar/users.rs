//! Chat users, and messages to them.

use crate::support::{assertions::pointers, botstar::BotStarAccount};
use serde_json::{Value, json};
use tests::{answer, sandbox::Sandbox};

async fn start() -> BotStarAccount {
    let botstar = BotStarAccount::start().await;
    botstar.replace_credentials(json!({ "api_token": Sandbox::BOTSTAR_TOKEN, "bot_id": Sandbox::BOT_ID })).await;
    botstar
}

#[tokio::test]
async fn a_user_is_got_whole_and_updated() {
    let botstar = start().await;
    assert_eq!(botstar.act("get-user", json!({ "user_id": "u-1" })).await, botstar.sandbox.bot_users()[0]);
    let attributes = json!({ "email": "ava@example.org", "vip": true, "points": 12, "a/b ~": "x" });
    let input = json!({ "user_id": "u-1", "attributes": attributes });
    assert_eq!(botstar.act("update-user", input).await, json!({ "id": "u-1", "attributes": attributes }));
    assert_eq!(botstar.last_body(), attributes);
    let user = botstar.act("get-user", json!({ "user_id": "u-1" })).await;
    assert_eq!(
        (&user["email"], &user["vip"], &user["name"]),
        (&json!("ava@example.org"), &json!(true), &json!("Ava Chen"))
    );
    let problem = botstar.refused("get-user", json!({ "user_id": "nobody" }), 404, "not_found").await;
    assert!(problem["detail"].as_str().unwrap().contains("no such user"), "{problem}");
}

#[tokio::test]
async fn numbers_of_attributes_keep_every_digit() {
    let botstar = start().await;
    for number in ["9007199254740993", "-123456789012345678901234567890", "0.1000000000000000000001", "6.02e23"] {
        let input =
            format!(r#"{{"connection":"{}","user_id":"u-1","attributes":{{"n":{number}}}}}"#, botstar.connection);
        let request = botstar.request("update-user", Value::Null).body(input);
        let answer = answer(request).await;
        let digits = number.replace("e23", "e+23");
        assert!(answer.text.contains(&format!(r#""n":{number}"#)) || answer.text.contains(&digits), "{}", answer.text);
        let sent = botstar.sandbox.requests().last().unwrap().body.clone();
        assert!(sent.contains(number) || sent.contains(&digits), "{sent}");
    }
}

#[tokio::test]
async fn an_update_returns_what_botstar_echoes_and_what_was_sent_if_it_only_reports_success() {
    let botstar = start().await;
    let input = json!({ "user_id": "u-1", "attributes": { "plan": "gold", "x": 1 } });
    for (body, attributes) in [
        (r#"{"plan":"GOLD","new":null}"#, json!({ "plan": "GOLD", "new": null })),
        (r#"{"status":"success"}"#, json!({ "plan": "gold", "x": 1 })),
        ("", json!({ "plan": "gold", "x": 1 })),
    ] {
        botstar.sandbox.script(move |_| body);
        assert_eq!(botstar.act("update-user", input.clone()).await["attributes"], attributes);
    }
    for body in ["{}", r#"{"message":"no"}"#, "[]", "null", "7"] {
        botstar.sandbox.script(move |_| body);
        let problem = botstar.refused("update-user", input.clone(), 502, "platform_unavailable").await;
        assert_eq!(problem["retry"], "unknown", "{body}");
    }
}

#[tokio::test]
async fn attributes_that_cannot_be_are_refused() {
    let botstar = start().await;
    let many: serde_json::Map<String, Value> = (0..201).map(|n| (n.to_string(), json!(n))).collect();
    for (attributes, pointer) in [
        (json!({}), "/attributes"),
        (json!(null), "/attributes"),
        (json!([1]), "/attributes"),
        (json!({ "": "x" }), "/attributes"),
        (json!(many), "/attributes"),
        (json!({ "plan": null }), "/attributes/plan"),
        (json!({ "plan": ["gold"] }), "/attributes/plan"),
        (json!({ "plan": { "a": 1 } }), "/attributes/plan"),
    ] {
        let input = json!({ "user_id": "u-1", "attributes": attributes });
        let problem = botstar.refused("update-user", input, 422, "invalid_body").await;
        assert!(pointers(&problem).iter().any(|found| found.starts_with(pointer)), "{pointer}: {problem}");
    }
    assert_eq!(botstar.asked(), [""; 0]);
}

#[tokio::test]
async fn a_message_is_a_text_or_botstars_format() {
    let botstar = start().await;
    let card =
        json!({ "cards": [{ "title": "Latte", "buttons": [{ "title": "Buy", "payload": { "goToBlock": "Pay" } }] }] });
    for (message, wire) in [
        (json!("Hello ☕"), json!({ "text": "Hello ☕" })),
        (json!({ "text": "Hi", "x": [1.50, null] }), json!({ "text": "Hi", "x": [1.50, null] })),
        (card.clone(), card),
    ] {
        let sent = botstar.act("send-message", json!({ "user_id": "u-1", "message": message })).await;
        assert_eq!(sent["recipient_id"], "u-1");
        assert!(sent["message_id"].as_str().unwrap().starts_with("m-"));
        assert_eq!(botstar.last_body(), json!({ "recipient": { "id": "u-1" }, "message": wire }));
    }
    let tagged = json!({ "user_id": "u-1", "message": "Hi", "message_tag": "ACCOUNT_UPDATE" });
    botstar.act("send-message", tagged).await;
    assert_eq!(botstar.last_body()["options"], json!({ "message_tag": "ACCOUNT_UPDATE" }));
    botstar.asked();
    for (input, pointer) in [
        (json!({ "message": "" }), "/message"),
        (json!({ "message": {} }), "/message"),
        (json!({ "message": null }), "/message"),
        (json!({ "message": ["Hi"] }), "/message"),
        (json!({ "message": 7 }), "/message"),
        (json!({ "message": { "buttons": [{}] } }), "/message/buttons/0"),
        (json!({ "message": "x".repeat(20_001) }), "/message"),
        (json!({ "message": "Hi", "message_tag": "account_update" }), "/message_tag"),
        (json!({ "message": "Hi", "bot_id": "x" }), "/bot_id"),
    ] {
        let mut input = input;
        input["user_id"] = json!("u-1");
        let problem = botstar.refused("send-message", input, 422, "invalid_body").await;
        assert!(pointers(&problem).iter().any(|found| found.starts_with(pointer)), "{pointer}: {problem}");
    }
    assert_eq!(botstar.asked(), [""; 0]);
}

#[tokio::test]
async fn an_id_is_encoded_in_the_path_or_refused() {
    let botstar = start().await;
    let user = format!("GET /bots/{}/users", Sandbox::BOT_ID);
    for (id, path) in [
        ("a b", "a%20b"),
        ("ä☕", "%C3%A4%E2%98%95"),
        ("a..b", "a..b"),
        ("a.", "a."),
        ("a+b&c=d", "a+b&c=d"),
        ("\"<>`{}|^", "%22%3C%3E%60%7B%7D|^"),
        ("u:1@x,y!$'()*~", "u:1@x,y!$'()*~"),
    ] {
        botstar.refused("get-user", json!({ "user_id": id }), 404, "not_found").await;
        assert_eq!(botstar.asked(), [format!("{user}/{path}")], "{id}");
    }
    let long = "x".repeat(10_240);
    let odd = [
        "", ".", "..", "...", ".a", "a/b", "/", "a\\b", "a?b", "a#b", "a%2fb", "%2e%2e", "a;b", "a\nb", "a\u{0}",
        "\u{7f}",
    ];
    for id in odd.into_iter().chain([long.as_str()]) {
        for (action, field, others) in [
            ("get-user", "user_id", json!({})),
            ("get-user", "bot_id", json!({ "user_id": "u-1" })),
            ("list-items", "entity_id", json!({})),
            ("delete-item", "item_id", json!({ "entity_id": "e-1" })),
            ("send-message", "user_id", json!({ "message": "Hi" })),
        ] {
            let mut input = others;
            input[field] = json!(id);
            let problem = botstar.refused(action, input, 422, "invalid_body").await;
            assert_eq!(pointers(&problem), [format!("/{field}")], "{id:?}");
        }
    }
    for id in [json!(null), json!(7), json!(["u-1"]), json!({ "id": "u-1" }), json!(true)] {
        let problem = botstar.refused("get-user", json!({ "user_id": id }), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), ["/user_id"]);
    }
    assert_eq!(botstar.asked(), [""; 0]);
}
