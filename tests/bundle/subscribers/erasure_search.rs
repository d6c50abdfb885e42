//! Where an erasure finds a person besides in the person's own events.

use crate::support::assertions::{problem, rejected};
use serde_json::json;
use tests::{Bundle, string};

#[tokio::test]
async fn an_erasure_searches_queries_numbers_and_escaped_texts() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook_with("botstar.watch-tag", json!({ "keep_query": true })).await;
    let ava = json!({ "id": 11_936_671, "name": "Zoë Quark", "email": "zoe@quark.example" });
    let event = bundle.accept(&hook, &json!({ "user": ava, "tag": "t" })).await;
    let person = string(&bundle.get(&format!("/v1/events/{event}"), 200).await["subject"]);
    bundle.until_count("/v1/subscribers", 1).await;
    let with_query = format!("{}?e=zoe%40quark.example", hook.url);
    for (url, body) in
        [(&with_query, r#"{"x":1}"#), (&hook.url, r#"{"x":11936671.0}"#), (&hook.url, r#"{"x":11936671e0}"#)]
    {
        assert_eq!(bundle.send(url, body).await.status, 200);
    }
    let wide: Vec<u8> = "\u{feff}{\"e\":\"zoe@quark.example".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bodies = [
        &br#"{"n":"Zo\u00eb Quark","x":""#[..],
        br#"{"e":"zoe\u0040quark.example"#,
        b"{\"n\":\"Zo\xc3\xab Quark",
        &wide,
    ];
    for body in bodies {
        problem(&bundle.send(&hook.url, body.to_vec()).await, 400, "unreadable_body");
    }
    bundle.delete(&format!("/v1/subscribers/{person}"), 204).await;
    for event in bundle.all("/v1/events").await {
        assert!(event["data"]["raw"].is_null() && event["data"]["query"].is_null(), "{event}");
    }
    let kept = rejected(&bundle, &hook.id).await;
    assert!(kept.len() == 4 && kept.iter().all(|call| call["body"].is_null()), "{kept:?}");
}
