//! Odd answers of ChatBot: what is made of them, and what never comes out of them.

use crate::support::{
    assertions::{problem, refused},
    chatbot::ChatBot,
};
use axum::http::StatusCode;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{answer, sandbox::Sandbox, string};

const STORY: &str = "5b7ff84c0000000000000001";

#[tokio::test]
async fn every_status_has_its_meaning() {
    let chatbot = ChatBot::start().await;
    for (says, status, code) in [
        (300, 502, "platform_unavailable"),
        (301, 502, "platform_unavailable"),
        (302, 502, "platform_unavailable"),
        (303, 502, "platform_unavailable"),
        (304, 502, "platform_unavailable"),
        (307, 502, "platform_unavailable"),
        (308, 502, "platform_unavailable"),
        (400, 422, "platform_rejected"),
        (401, 424, "connection_unauthorized"),
        (402, 422, "platform_rejected"),
        (403, 424, "connection_unauthorized"),
        (404, 404, "not_found"),
        (405, 422, "platform_rejected"),
        (408, 504, "platform_timeout"),
        (409, 422, "platform_rejected"),
        (410, 404, "not_found"),
        (413, 422, "platform_rejected"),
        (422, 422, "platform_rejected"),
        (429, 429, "platform_slow_down"),
        (451, 422, "platform_rejected"),
        (499, 422, "platform_rejected"),
        (501, 502, "platform_unavailable"),
        (504, 504, "platform_timeout"),
        (505, 502, "platform_unavailable"),
        (520, 502, "platform_unavailable"),
        (999, 502, "platform_unavailable"),
    ] {
        chatbot.sandbox.script(move |_| {
            (StatusCode::from_u16(says).unwrap(), "<html><title>Sorry</title>".to_owned() + &"é".repeat(5_000))
        });
        for (action, input) in
            [("get-story", json!({ "story_id": STORY })), ("update-story", json!({ "story_id": STORY, "name": "x" }))]
        {
            let problem = chatbot.refused(action, input, status, code).await;
            let detail = string(&problem["detail"]);
            assert!(detail.starts_with(&format!("the platform answered {says}")), "{detail}");
            assert!(detail.chars().count() < 600, "{detail}");
            assert!(says == 304 || detail.contains("Sorry"), "{detail}");
            assert_eq!(chatbot.asked().len(), 1, "{says}");
        }
    }
}

#[tokio::test]
async fn how_long_to_wait_is_handed_on_or_else_made_up() {
    let chatbot = ChatBot::start().await;
    for (says, reported) in [
        (Some("0"), Some("1")),
        (Some("120"), Some("120")),
        (Some("999999999999999999999"), Some("86400")),
        (Some("Wed, 21 Oct 2020 07:28:00 GMT"), Some("1")),
        (Some("Monday, 21-Oct-69 07:28:00 GMT"), Some("86400")),
        (Some("Wed Oct 21 07:28:00 2099"), Some("86400")),
        (Some(Sandbox::TOKEN), Some("10")),
        (None, Some("10")),
    ] {
        chatbot.sandbox.script(move |_| {
            let mut response = axum::http::Response::new(axum::body::Body::empty());
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            if let Some(says) = says {
                response.headers_mut().insert("retry-after", says.parse().unwrap());
            }
            response
        });
        let answer = answer(chatbot.request("list-stories", json!({}))).await;
        problem(&answer, 429, "platform_slow_down");
        let wait = answer.headers.get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(wait, reported);
    }
}

/// A change is made although the answer says little of it; what was created has to have an id.
#[tokio::test]
async fn a_change_may_be_answered_with_little() {
    let chatbot = ChatBot::start().await;
    let change = |fields: Value| {
        let mut input = json!({ "story_id": STORY, "name": "x" });
        input.as_object_mut().unwrap().retain(|name, _| fields.as_array().unwrap().iter().any(|field| field == name));
        input
    };
    for (status, body, changed, created) in [
        (204, "", true, false),
        (200, "", true, false),
        (200, " \n", true, false),
        (200, "{}", true, false),
        (200, "[{}]", true, false),
        (200, r#"{"id":7}"#, true, false),
        (200, r#"{"id":""}"#, true, false),
        (200, r#"{"id":null,"status":null}"#, true, false),
        (200, r#"{"id":"s-9","status":"ok"}"#, true, true),
        (200, r#"{"id":"s-9","status":{"code":"200"}}"#, true, true),
        (201, r#"{"id":"s-9","status":{"code":201}}"#, true, true),
        (200, r#"[{"id":"s-9","status":{"code":200}},{"id":"s-10"}]"#, true, true),
        (200, "[]", false, false),
        (200, "null", false, false),
        (200, "\"ok\"", false, false),
        (200, "ok", false, false),
        (200, "[[]]", false, false),
        (200, "{\"id\":\"s-9\"", false, false),
    ] {
        chatbot.sandbox.script(move |_| (StatusCode::from_u16(status).unwrap(), body));
        for (action, fields, works) in [
            ("create-story", json!(["name"]), created),
            ("update-story", json!(["story_id", "name"]), changed),
            ("delete-story", json!(["story_id"]), changed),
        ] {
            let answer = answer(chatbot.request(action, change(fields))).await;
            if works {
                let id = if action == "create-story" { "s-9" } else { STORY };
                assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "id": id })), "{action} {body}");
            } else {
                let problem = problem(&answer, 502, "platform_unavailable");
                assert_eq!(problem["retry"], "unknown", "{action} {body}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_in_the_body_of_a_success_is_a_failure() {
    let chatbot = ChatBot::start().await;
    for (says, status, code) in [
        (401, 424, "connection_unauthorized"),
        (404, 404, "not_found"),
        (429, 429, "platform_slow_down"),
        (500, 502, "platform_unavailable"),
        (0, 502, "platform_unavailable"),
    ] {
        for body in [json!({ "status": { "code": says } }), json!([{ "id": "s-9", "status": { "code": says } }])] {
            let text = body.to_string();
            chatbot.sandbox.script(move |_| text.clone());
            for (action, input) in [
                ("get-story", json!({ "story_id": STORY })),
                ("list-stories", json!({})),
                ("create-story", json!({ "name": "x" })),
                ("delete-story", json!({ "story_id": STORY })),
            ] {
                chatbot.refused(action, input, status, code).await;
            }
        }
    }
}

/// A token of every character that is written in more than one way.
const TOKEN: &str = r#"quote"back\slash/and<angle>&'tick'=+%41~0123456789"#;

fn escaped(text: &str) -> String {
    text.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect()
}

#[tokio::test]
async fn a_token_does_not_come_out_however_it_is_written() {
    let chatbot = ChatBot::start().await;
    let new = json!({ "platform": "chatbot", "name": "Odd", "credentials": { "access_token": TOKEN } });
    let connection = string(&chatbot.bundle.post("/v1/connections", &new, 201).await["id"]);
    let quoted = json!(TOKEN).to_string();
    let slashed = quoted.replace('/', "\\/");
    let coded = format!("\"{}\"", escaped(TOKEN));
    let calls = [
        ("get-user", json!({ "user_id": "u-1" })),
        ("update-user", json!({ "user_id": "u-1", "name": "x" })),
        ("create-user", json!({ "name": "x" })),
        ("search-users", json!({})),
        ("list-stories", json!({})),
        ("call-api", json!({ "path": "x", "method": "GET" })),
        ("call-api", json!({ "path": "x", "method": "POST" })),
    ];
    for status in [200, 400, 401, 404, 429, 500] {
        for body in [
            TOKEN.to_owned(),
            format!("{TOKEN}{TOKEN}"),
            quoted.clone(),
            format!("[{slashed}]"),
            format!(
                r#"{{"id":"u-1","data":[{{"id":"u-1",{quoted}:{coded}}}],"status":{{"code":400,"message":{slashed}}}}}"#
            ),
            format!(r#"{{"id":{quoted},"attributes":{{{coded}:{quoted}}},"data":[{{"id":{slashed}}}]}}"#),
            format!(r#"[{{"id":{coded}}}]"#),
            format!(r#"{{"id":["{}"],"data":{quoted}}}"#, escaped(TOKEN)),
            format!("{{\"cut\":{quoted}"),
            format!("{{\"cut\":{slashed}"),
        ] {
            let shown = body.clone();
            chatbot.sandbox.script(move |_| {
                let status = StatusCode::from_u16(status).unwrap();
                (status, [("x-echo", format!("Bearer {TOKEN}")), ("retry-after", TOKEN.to_owned())], body.clone())
            });
            let sent = calls.iter().map(|(action, input)| {
                let mut input = input.clone();
                input["connection"] = json!(connection);
                answer(chatbot.request(action, input))
            });
            for ((action, _), answer) in calls.iter().zip(join_all(sent).await) {
                assert!(answer.headers.values().all(|value| !value.as_bytes().starts_with(b"quote")));
                for form in [TOKEN, &json!(TOKEN).to_string(), "0123456789", "\\u0071\\u0075", "back\\\\"] {
                    assert!(!answer.text.contains(form), "{action} {status} {shown}\n{}", answer.text);
                }
            }
            let test = format!("/v1/connections/{connection}/test");
            let answer = answer(chatbot.bundle.request(Method::POST, &test)).await;
            assert!(!answer.text.contains("0123456789"), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn an_access_token_is_one_that_a_header_can_have() {
    let chatbot = ChatBot::start().await;
    for token in [json!(""), json!("a b"), json!("a\n"), json!("ä"), json!("x".repeat(4_097)), json!(null), json!(7)] {
        let new = json!({ "platform": "chatbot", "name": "x", "credentials": { "access_token": token } });
        refused(chatbot.bundle.request(Method::POST, "/v1/connections").json(&new), 422, "invalid_body").await;
    }
    for credentials in [json!({}), json!({ "token": "x" })] {
        let new = json!({ "platform": "chatbot", "name": "x", "credentials": credentials });
        refused(chatbot.bundle.request(Method::POST, "/v1/connections").json(&new), 422, "invalid_body").await;
    }
}
