//! Odd bodies, each a kind that real senders produce: one person must not become another, and what is accepted can be read,
//! listed and erased.

use crate::support::assertions::{problem, rejected};
use flate2::{
    Compression,
    read::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::io::Read;
use tests::{Answer, Bundle, TestHook, answer, string};

const FORM: &str = "application/x-www-form-urlencoded";

async fn post(bundle: &Bundle, hook: &TestHook, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    answer(bundle.http.post(&hook.url).header("content-type", content_type).body(body)).await
}

/// Posts a body that becomes an event; the event.
async fn event(bundle: &Bundle, hook: &TestHook, content_type: &str, body: impl Into<reqwest::Body>) -> Value {
    let receipt = post(bundle, hook, content_type, body).await;
    assert_eq!((receipt.status, &receipt.json()["status"]), (StatusCode::OK, &json!("accepted")), "{}", receipt.text);
    bundle.get(&format!("/v1/events/{}", string(&receipt.json()["event"])), 200).await
}

async fn json_event(bundle: &Bundle, hook: &TestHook, body: &str) -> Value {
    event(bundle, hook, "application/json", body.to_owned()).await
}

fn platform_id(event: &Value) -> Option<&str> {
    event["data"]["subscriber"]["platform_id"].as_str()
}

fn lists_unmapped(event: &Value, path: &str) -> bool {
    event["data"]["unmapped"].as_array().unwrap().iter().any(|unmapped| unmapped == path)
}

fn nested(levels: usize) -> String {
    format!(r#"{{"id":"p1","x":{}}}"#, "[".repeat(levels - 1) + &"]".repeat(levels - 1))
}

#[tokio::test]
async fn a_body_that_nests_deep_is_refused_or_readable_everywhere() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-subscriber").await;
    let deepest = json_event(&bundle, &hook, &nested(64)).await;
    let person = format!("/v1/subscribers/{}", string(&deepest["subject"]));
    bundle.until_count("/v1/subscribers", 1).await;
    assert_eq!(bundle.get(&person, 200).await["platform_id"], "p1");
    let objects = format!(r#"{}1{}"#, r#"{"id":"p1","x":"#.repeat(70), "}".repeat(70));
    for body in [nested(65), nested(125), nested(127), objects, "[".repeat(200_000)] {
        let refused = post(&bundle, &hook, "application/json", body).await;
        let problem = problem(&refused, 400, "unreadable_body");
        assert!(string(&problem["detail"]).contains("64 levels deep"), "{problem}");
    }
    assert_eq!(rejected(&bundle, &hook.id).await.len(), 5);
    bundle.delete(&person, 204).await;
}

#[tokio::test]
async fn content_whose_event_was_erased_is_no_duplicate() {
    let bundle = Bundle::start().await;
    let connection = bundle.connection("botstar").await;
    let hook = bundle.hook_on(&connection, "botstar.watch-human-takeover", json!({})).await;
    let body = json!({ "user": { "id": "u-1" }, "reason": "refund" });
    let first = bundle.accept(&hook, &body).await;
    bundle.until_count("/v1/takeovers", 1).await;
    let person = string(&bundle.get(&format!("/v1/events/{first}"), 200).await["subject"]);
    bundle.delete(&format!("/v1/subscribers/{person}"), 204).await;
    bundle.clock.advance(std::time::Duration::from_secs(1));
    let second = bundle.accept(&hook, &body).await;
    assert_ne!(first, second);
    bundle.until_count("/v1/takeovers", 1).await;
    assert_eq!(bundle.get(&format!("/v1/subscribers/{person}"), 200).await["platform_id"], "u-1");
    assert_eq!(bundle.send(&hook.url, body.to_string()).await.json()["event"], second.as_str());
    assert_eq!(bundle.get(&format!("/v1/events/{first}"), 200).await["data"]["raw"], Value::Null);
}

#[tokio::test]
async fn an_unusable_value_is_unmapped_and_nothing_else_takes_its_place() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let long = format!(r#"{{"id":"evt-1","user":{{"id":"{}"}},"tag":"t"}}"#, "x".repeat(1_025));
    let controls = format!(r#"{{"user_id":"{}","id":"evt-1","tag":"t"}}"#, "\\u0001".repeat(70_000 / 6));
    for body in [
        r#"{"id":"evt-1","user":{"id":null},"tag":"t"}"#,
        r#"{"id":"evt-1","user":{"id":["u-1"]},"tag":"t"}"#,
        r#"{"id":"evt-1","user":{"id":""},"tag":"t"}"#,
        r#"{"id":"evt-1","user":{"id":123456789012345678901},"tag":"t"}"#,
        r#"{"id":"evt-1","user":{"id":false},"tag":"t"}"#,
        r#"{"id":"evt-1","user_id":null,"tag":"t"}"#,
        &long,
        &controls,
    ] {
        let event = json_event(&bundle, &hook, body).await;
        assert!(event["data"]["subscriber"].is_null() && lists_unmapped(&event, "subscriber.id"), "{event}");
    }
    let outside = json_event(&bundle, &hook, r#"{"user_id":"u1","user":{"name":"Ava"},"tag":"t"}"#).await;
    assert_eq!(platform_id(&outside), Some("u1"));
    let records = bundle.hook("botstar.watch-checkpoint-record").await;
    for fields in ["[]", "null", "\"a\"", "false"] {
        let body =
            format!(r#"{{"user_id":"u","checkpoint":"c","data":{{"x":1}},"record":{{"id":"r","fields":{fields}}}}}"#);
        let event = json_event(&bundle, &records, &body).await;
        assert!(event["data"]["record"]["fields"].is_null() && lists_unmapped(&event, "record.fields"), "{event}");
    }
}

#[tokio::test]
async fn no_two_people_are_one_by_lossy_decoding() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for body in ["user_id=%C0&tag=t", "user_id=%C8&tag=t", "tag=t&%FF=1", "user_id=a%80&tag=t"] {
        let refused = post(&bundle, &hook, FORM, body).await;
        problem(&refused, 400, "unreadable_body");
    }
    for body in
        [r#"{"id":"\ud83d","tag":"t"}"#, r#"{"id":"\ud83e","tag":"t"}"#, r#"{"user":{"id":"a\ufffdb"},"tag":"t"}"#]
    {
        let event = json_event(&bundle, &hook, body).await;
        assert!(event["data"]["subscriber"].is_null() && lists_unmapped(&event, "subscriber.id"), "{event}");
    }
    for (charset, body, id) in [
        ("iso-8859-1", "user_id=%E9&tag=t", "é"),
        ("windows-1251", "user_id=%E9&tag=t", "й"),
        ("Shift_JIS", "user_id=%82%A0&tag=t", "あ"),
        ("utf-8", "user_id=%C3%A9&tag=u", "é"),
    ] {
        let event = event(&bundle, &hook, &format!("{FORM}; charset={charset}"), body).await;
        assert_eq!(platform_id(&event), Some(id), "{charset}");
        assert_eq!(event["data"]["raw"]["user_id"], id);
        bundle.clock.advance(std::time::Duration::from_secs(601));
    }
    bundle.until_count("/v1/subscribers", 3).await;
}

#[tokio::test]
async fn the_same_bytes_in_another_charset_are_another_call() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for (charset, id) in [("windows-1251", "И"), ("koi8-r", "х"), ("iso-8859-1", "È")] {
        let event = event(&bundle, &hook, &format!("{FORM}; charset={charset}"), "user_id=%C8&tag=t").await;
        assert_eq!(platform_id(&event), Some(id), "{charset}");
    }
    for charset in ["x-nothing", "utf-32"] {
        let refused = post(&bundle, &hook, &format!("{FORM}; charset={charset}"), "user_id=%C8&tag=t").await;
        problem(&refused, 400, "unreadable_body");
    }
}

#[tokio::test]
async fn a_boolean_is_no_text_of_a_person() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let first = r#"{"user":{"id":"u-1","email":"a@example.com","name":"Ava","phone":"1","locale":"en"},"tag":"vip"}"#;
    let person = format!("/v1/subscribers/{}", string(&json_event(&bundle, &hook, first).await["subject"]));
    bundle.until_count("/v1/subscribers", 1).await;
    for value in ["false", "true"] {
        let body = format!(
            r#"{{"user":{{"id":"u-1","email":{value},"name":{value},"phone":{value},"locale":{value},"tags":[{value}]}},"tag":{value}}}"#
        );
        let event = json_event(&bundle, &hook, &body).await;
        assert!(event["data"]["tag"].is_null() && event["data"]["subscriber"]["email"].is_null(), "{event}");
        assert_eq!(event["data"]["subscriber"]["attributes"]["email"].to_string(), value);
        let nobody = json_event(&bundle, &hook, &format!(r#"{{"id":{value},"tag":"x{value}"}}"#)).await;
        assert!(nobody["data"]["subscriber"].is_null(), "{nobody}");
    }
    let latest = tests::eventually(|| async {
        let person = bundle.get(&person, 200).await;
        (person["attributes"]["email"] == true).then_some(person)
    })
    .await;
    assert_eq!((&latest["email"], &latest["name"]), (&json!("a@example.com"), &json!("Ava")));
    assert_eq!(latest["tags"], json!(["vip"]));
}

#[tokio::test]
async fn json_xml_and_base64_are_never_taken_for_a_form() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for (content_type, body) in [
        (FORM, r#"{"user":{"id":"k"},"tag":"a=b"#),
        (FORM, r#"[{"tag":"a=b"#),
        (FORM, r#""tag=b"#),
        (FORM, "<user id='1'/>"),
        ("application/json", "user_id=1&tag=t"),
        ("application/xml", "user_id=1&tag=t"),
        ("application/json", "eyJ0YWciOiJ0In0="),
        ("text/plain", "eyJ0YWciOiJ0In0="),
        ("application/problem+json", "a=1"),
    ] {
        problem(&post(&bundle, &hook, content_type, body).await, 400, "unreadable_body");
    }
    assert_eq!(rejected(&bundle, &hook.id).await.len(), 9);
}

#[tokio::test]
async fn a_byte_order_mark_spoils_no_key() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for (content_type, body) in [
        (FORM, &b"\xef\xbb\xbfuser_id=u-1&tag=t"[..]),
        ("text/plain", b"\xef\xbb\xbfuser_id=u-1&tag=t"),
        ("application/json", b"\xef\xbb\xbf{\"user_id\":\"u-1\",\"tag\":\"t\"}"),
        ("application/json", b"\xff\xfe{\0\"\0i\0d\0\"\0:\0\"\0u\0-\x001\0\"\0}\0"),
    ] {
        let event = event(&bundle, &hook, content_type, body.to_vec()).await;
        assert_eq!(platform_id(&event), Some("u-1"), "{event}");
        bundle.clock.advance(std::time::Duration::from_secs(601));
    }
}

fn read_all(mut encoder: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn an_encoded_body_is_inflated_or_kept_as_it_came() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let send = async |encoding: &str, body: Vec<u8>| {
        let request = bundle.http.post(&hook.url).header("content-type", "application/json");
        answer(request.header("content-encoding", encoding).body(body)).await
    };
    let (text, level) = (&br#"{"user":{"id":"u-1"},"tag":"t"}"#[..], Compression::default());
    let gzip = read_all(GzEncoder::new(text, level));
    let receipt = send("gzip", gzip.clone()).await.json();
    assert_eq!(receipt["status"], "accepted", "{receipt}");
    let raw = answer(bundle.request(Method::GET, &format!("/v1/events/{}/raw", string(&receipt["event"])))).await;
    assert_eq!((raw.text.as_bytes(), &raw.headers["x-switchboard-encoding"]), (text, &"gzip".parse().unwrap()));
    for (encoding, body) in [
        ("deflate", read_all(ZlibEncoder::new(text, level))),
        ("deflate", read_all(DeflateEncoder::new(text, level))),
        ("GZIP", gzip.clone()),
        ("identity", text.to_vec()),
    ] {
        assert_eq!(send(encoding, body).await.json()["status"], "duplicate", "the content is the same: {encoding}");
    }
    problem(&send("gzip", text.to_vec()).await, 400, "unreadable_body");
    for encoding in ["br", "zstd", "gzip, gzip"] {
        problem(&send(encoding, gzip.clone()).await, 415, "unsupported_encoding");
    }
    problem(&send("gzip", read_all(GzEncoder::new(&vec![b' '; 3_000_000][..], level))).await, 413, "body_too_large");
    let kept = rejected(&bundle, &hook.id).await;
    assert_eq!((kept.len(), &kept[0]["body"]), (5, &Value::Null), "a body over the limit is not kept");
    let encoded = kept.iter().find(|call| call["code"] == "unsupported_encoding").unwrap();
    assert_eq!(encoded["body_encoding"], "base64");
    let path = format!("/v1/hooks/{}/rejected/{}/raw", hook.id, string(&encoded["id"]));
    let raw = bundle.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(raw.bytes().await.unwrap(), gzip);
}

#[tokio::test]
async fn a_message_is_one_event_by_the_id_that_the_event_shows() {
    let sandbox = tests::Sandbox::start(0).await.unwrap();
    let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &sandbox.url)]).await;
    let hook = bundle.hook("chatbot.watch-message").await;
    let call = |message: Value, node: Value, plan: &str| json!({ "messageId": message, "chatId": "c", "userId": "u", "node": node, "attributes": { "plan": plan } });
    let send = async |body: Value| {
        let answer = bundle.send(&hook.url, body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.headers["x-switchboard-event"].to_str().unwrap().to_owned()
    };
    let node = json!({ "id": "n-1" });
    let first = send(call(json!(77), node.clone(), "free")).await;
    for same in [json!(77), json!("77"), json!(77.0)] {
        assert_eq!(send(call(same, node.clone(), "gold")).await, first);
    }
    let mut without_id = std::collections::BTreeSet::new();
    let other_node = send(call(json!(77), json!({ "id": "n-2" }), "free")).await;
    assert_ne!(other_node, first, "two webhook blocks of one turn");
    for node in [json!(null), json!({}), json!({ "id": null }), json!({ "name": "A" })] {
        without_id.insert(send(call(json!("m-2"), node, "free")).await);
    }
    assert_eq!(without_id.len(), 1, "a node without an id makes no difference");
    for blank in [json!("  "), json!(null), json!(false), json!("\u{fffd}")] {
        let (one, two) = (call(blank.clone(), node.clone(), "free"), call(blank.clone(), node.clone(), "gold"));
        let (one, two) = (send(one.clone()).await, send(two).await);
        assert_ne!(one, two, "{blank}: their content differs");
    }
}

#[tokio::test]
async fn a_whole_float_is_the_whole_number() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for id in ["42", "42.0", "4.2e1", "\"42\""] {
        let event = json_event(&bundle, &hook, &format!(r#"{{"user":{{"id":{id}}},"tag":"t"}}"#)).await;
        assert_eq!(platform_id(&event), Some("42"));
    }
    bundle.until_count("/v1/subscribers", 1).await;
}

#[tokio::test]
async fn another_query_is_another_call() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let send = async |hook: &TestHook, query: &str| {
        let url = format!("{}{query}", hook.url);
        bundle.send(&url, r#"{"user":{"id":"u-1"},"tag":"t"}"#).await.json()
    };
    let mut seen = Vec::new();
    for query in ["", "?a=1", "?a=2", "?a=1&b=%20"] {
        let receipt = send(&hook, query).await;
        assert_eq!(receipt["status"], "accepted", "{query}");
        assert_eq!(send(&hook, query).await["status"], "duplicate", "{query}");
        seen.push(string(&receipt["event"]));
    }
    for id in &seen {
        assert_eq!(bundle.get(&format!("/v1/events/{id}"), 200).await["data"]["query"], Value::Null);
    }
    let keeping = bundle.hook_with("botstar.watch-tag", json!({ "keep_query": true })).await;
    let receipt = send(&keeping, "?a=1&a=2&b=%C3%A9&empty").await;
    let path = format!("/v1/events/{}", string(&receipt["event"]));
    let kept = bundle.get(&path, 200).await;
    assert_eq!(kept["data"]["query"], json!({ "a": ["1", "2"], "b": ["é"], "empty": [""] }));
    bundle.until_count("/v1/subscribers", 2).await;
    bundle.delete(&format!("/v1/subscribers/{}", string(&kept["subject"])), 204).await;
    assert_eq!(bundle.get(&path, 200).await["data"]["query"], Value::Null);
}

#[tokio::test]
async fn chatbots_token_is_no_part_of_the_content_and_never_kept() {
    let sandbox = tests::Sandbox::start(0).await.unwrap();
    let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &sandbox.url)]).await;
    let hook = bundle.hook_with("chatbot.watch-message", json!({ "keep_query": true })).await;
    let token = store::hooks::verification_token(hook.url.rsplit('/').next().unwrap());
    let body = json!({ "chatId": "c", "userId": "u" }).to_string();
    let with = bundle.send(&format!("{}?a=1&token={token}", hook.url), body.clone()).await;
    let without = bundle.send(&format!("{}?a=1", hook.url), body).await;
    let id = with.headers["x-switchboard-event"].to_str().unwrap();
    assert_eq!(without.headers["x-switchboard-event"], id);
    let event = bundle.get(&format!("/v1/events/{id}"), 200).await;
    assert_eq!(event["data"]["query"], json!({ "a": ["1"] }));
}

#[tokio::test]
async fn an_integer_may_be_written_as_a_float() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let path = format!("/v1/hooks/{}", hook.id);
    for (written, read) in [("600.0", 600), ("6e2", 600), ("0.0", 0), ("31536000.0", 31_536_000)] {
        let body = format!(r#"{{"settings":{{"dedupe_seconds":{written}}}}}"#);
        let request = bundle.request(Method::PATCH, &path).header("content-type", "application/json").body(body);
        assert_eq!(tests::expect(request, 200).await["settings"]["dedupe_seconds"], read, "{written}");
    }
    for written in ["600.5", "-1.0", "1e300"] {
        let body = format!(r#"{{"settings":{{"dedupe_seconds":{written}}}}}"#);
        let request = bundle.request(Method::PATCH, &path).header("content-type", "application/json").body(body);
        tests::expect(request, 422).await;
    }
    let body = r#"{"grace_seconds":6e1}"#;
    let request = bundle.request(Method::POST, &format!("{path}/rotate")).body(body);
    tests::expect(request, 200).await;
}
