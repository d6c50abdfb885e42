//! Secrets in the answers to `chatbot.call-api`: those of hooks and of the call itself.

use crate::support::{assertions::problem, chatbot::ChatBot};
use axum::http::StatusCode;
use flate2::{
    Compression,
    read::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use serde_json::{Value, json};
use std::io::Read;
use tests::{answer, string};

#[tokio::test]
async fn a_key_that_may_act_does_not_see_secrets_of_hooks() {
    let chatbot = ChatBot::start().await;
    let hook = chatbot.bundle.hook_on(&chatbot.connection, "chatbot.watch-message", json!({})).await;
    let made = chatbot.bundle.get(&format!("/v1/hooks/{}", hook.id), 200).await;
    let (webhook, token) = (string(&made["registration"]["webhook"]), string(&made["registration"]["token"]));
    let secret = hook.url.rsplit('/').next().unwrap();
    for path in ["webhooks".to_owned(), format!("/webhooks/{webhook}")] {
        let answer = chatbot.act("call-api", json!({ "path": path, "method": "GET" }), 200).await;
        let text = answer.to_string();
        assert!(text.contains("/hooks/chatbot/message/••••"), "{text}");
        assert!(!text.contains(secret) && !text.contains(&token), "{text}");
    }
    // A server may see the same resource behind another path, and repeat what it holds in any answer.
    let bodies = [
        json!([{ "id": webhook, "url": hook.url, "token": token }]).to_string(),
        json!({ "status": { "code": 422 }, "message": format!("{} with {token} exists", hook.url) }).to_string(),
        format!("<p>{}?token={token}", hook.url),
        json!({ "nested": json!({ "url": hook.url.replace('/', "\\/"), "token": token }).to_string() }).to_string(),
        format!("{}{secret} {token}", "x ".repeat(230)),
        json!({ secret: token }).to_string(),
    ];
    for path in
        ["webhooks;x", "webhooks ", "webhooks%20", "Webhooks", "webhooks/", "%57ebhook%73", "users", "web-hooks"]
    {
        for (number, body) in bodies.iter().enumerate() {
            for status in [200, 400, 404, 422, 500] {
                let (sent, location) = (body.clone(), hook.url.clone());
                chatbot.sandbox.script(move |_| {
                    (StatusCode::from_u16(status).unwrap(), [("location", location.clone())], sent.clone())
                });
                let input = json!({ "path": path, "method": "POST" });
                let answer = answer(chatbot.request("call-api", input)).await;
                assert_eq!(answer.status == 200, status == 200, "{path}: {}", answer.text);
                assert!(answer.text.contains("••••"), "{path} {number} {status}: {}", answer.text);
                for part in [secret, &token, &secret[..20], &token[..20]] {
                    assert!(!answer.text.contains(part), "{path} {number} {status}: {}", answer.text);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_value_that_only_resembles_a_secret_stays_in_an_answer() {
    let chatbot = ChatBot::start().await;
    let body = json!({ "token": "vip", "url": "https://example.com/a/b", "sha": "0123456789abcdef", "n": 1e2,
        "big": 12_345_678_901_234_567_890_u64, "id": "x".repeat(64) });
    let text = body.to_string();
    chatbot.sandbox.script(move |_| text.clone());
    let input = json!({ "path": "users", "method": "GET", "headers": { "X-Api-Version": "1", "X-Tenant": "example" } });
    assert_eq!(chatbot.act("call-api", input, 200).await["body"], body);
}

#[tokio::test]
async fn credentials_of_a_call_are_masked_in_its_answer() {
    let chatbot = ChatBot::start().await;
    for (name, value) in [("X-Api-Key", "k-1"), ("x-auth-token", "tok en"), ("X-Client-Secret", "a\"b")] {
        chatbot.sandbox.script(move |_| (StatusCode::BAD_REQUEST, json!({ "bad": value }).to_string()));
        let input = json!({ "path": "users", "method": "GET", "headers": { name: value } });
        let problem = problem(&answer(chatbot.request("call-api", input)).await, 422, "platform_rejected");
        assert_eq!(problem["detail"], "the platform answered 400: {\"bad\":\"••••\"}", "{name}");
        assert_eq!(problem["answer"]["body"], json!({ "bad": "••••" }), "{name}");
    }
}

fn read_all(mut encoder: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.read_to_end(&mut bytes).unwrap();
    bytes
}

fn says(chatbot: &ChatBot, status: u16, encoding: &'static str, body: Vec<u8>) {
    chatbot
        .sandbox
        .script(move |_| (StatusCode::from_u16(status).unwrap(), [("content-encoding", encoding)], body.clone()));
}

#[tokio::test]
async fn a_compressed_answer_that_was_not_asked_for_is_read() {
    let chatbot = ChatBot::start().await;
    let (text, level) = (&b"{\"id\":\"u-1\"}"[..], Compression::default());
    for (encoding, body) in [
        ("gzip", read_all(GzEncoder::new(text, level))),
        ("GZIP", read_all(GzEncoder::new(text, level))),
        ("deflate", read_all(ZlibEncoder::new(text, level))),
        ("deflate", read_all(DeflateEncoder::new(text, level))),
        ("identity", text.to_vec()),
    ] {
        says(&chatbot, 200, encoding, body.clone());
        let output = chatbot.act("call-api", json!({ "path": "users", "method": "POST" }), 200).await;
        assert_eq!(output["body"], json!({ "id": "u-1" }), "{encoding}");
        assert!(output["headers"].get("content-encoding").is_none(), "{output}");
        says(&chatbot, 422, encoding, body);
        let refused = answer(chatbot.request("call-api", json!({ "path": "users", "method": "POST" }))).await;
        let problem = problem(&refused, 422, "platform_rejected");
        assert_eq!(problem["detail"], "the platform answered 422: {\"id\":\"u-1\"}", "{encoding}");
    }
}

#[tokio::test]
async fn an_answer_that_can_not_be_decompressed_leaves_the_outcome_unknown() {
    let chatbot = ChatBot::start().await;
    let level = Compression::default();
    let cut = read_all(GzEncoder::new(&b"{\"id\":\"u-1\"}"[..], level));
    let bomb = read_all(GzEncoder::new(std::io::repeat(b' ').take(6 << 20), level));
    for (encoding, body, detail) in [
        ("gzip", cut[..12].to_vec(), "the answer is not complete gzip data"),
        ("gzip", b"{}".to_vec(), "the answer is not complete gzip data"),
        ("br", b"{}".to_vec(), "the answer is encoded with br"),
        ("gzip", bomb, "the answer is larger than 5 MB"),
    ] {
        for (method, outcome) in [("POST", json!("unknown")), ("GET", json!("after"))] {
            says(&chatbot, 200, encoding, body.clone());
            let lost = answer(chatbot.request("call-api", json!({ "path": "users", "method": method }))).await;
            let problem = problem(&lost, 502, "platform_unavailable");
            assert_eq!((&problem["detail"], &problem["retry"]), (&json!(detail), &outcome), "{encoding} {method}");
        }
        if !detail.ends_with("MB") {
            says(&chatbot, 404, encoding, body.clone());
            let refused = answer(chatbot.request("call-api", json!({ "path": "users", "method": "POST" }))).await;
            assert_eq!(problem(&refused, 404, "not_found")["detail"], "the platform answered 404");
        }
    }
    says(&chatbot, 204, "gzip", Vec::new());
    let empty = chatbot.act("call-api", json!({ "path": "users", "method": "DELETE" }), 200).await;
    assert_eq!((&empty["status"], &empty["body"]), (&json!(204), &Value::Null));
}
