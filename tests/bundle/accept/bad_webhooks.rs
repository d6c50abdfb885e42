//! Malformed webhooks: each becomes an event or a rejected call, and nothing is lost.

use crate::support::assertions::{by_hand, counts, problem, refused, rejected};
use data_encoding::BASE64;
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Bundle, TestHook, answer, string};

const MAX_BODY_BYTES: usize = 256 * 1024;

/// A JSON body of so many bytes.
fn sized(bytes: usize) -> String {
    let frame = r#"{"user":{"id":"u-1"},"tag":"vip","fill":""}"#;
    frame.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - frame.len())))
}

async fn event(bundle: &Bundle, answer: &Answer) -> Value {
    let receipt = answer.json();
    assert_eq!((answer.status.as_u16(), &receipt["status"]), (200, &json!("accepted")), "{}", answer.text);
    let id = receipt["event"].as_str().unwrap();
    assert_eq!(answer.headers["x-switchboard-event"], id);
    bundle.get(&format!("/v1/events/{id}"), 200).await
}

#[tokio::test]
async fn a_token_opens_its_own_path_alone() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let token = hook.url.rsplit('/').next().unwrap();
    let before = counts(&bundle).await;
    let others = registry::triggers().filter(|watch| watch.trigger.name != "botstar.watch-tag");
    let mut urls: Vec<String> = others.map(|watch| format!("{}/{token}", watch.trigger.path)).collect();
    let mut flipped = token.to_owned().into_bytes();
    flipped[40] = if flipped[40] == b'A' { b'B' } else { b'A' };
    for wrong in [
        String::from_utf8(flipped).unwrap(),
        token.to_lowercase(),
        token[..63].to_owned(),
        format!("{token}="),
        format!("%{:02x}{}", token.as_bytes()[0], &token[1..]),
        hook.id.clone(),
        "%00".to_owned(),
        "x".repeat(10_240),
    ] {
        urls.push(format!("/hooks/botstar/tag/{wrong}"));
    }
    for url in ["/hooks/botstar/tag", "/hooks/chatbot/message/", "/hooks/botstar/nothing/"] {
        urls.push(format!("{url}{token}"));
    }
    urls.push(format!("/hooks/botstar/tag/{token}/"));
    for url in urls {
        let post = bundle.http.post(format!("{}{url}", bundle.local.url)).body(r#"{"tag":"vip"}"#);
        refused(post, 404, "not_found").await;
    }
    assert_eq!(counts(&bundle).await, before);
    assert_eq!(rejected(&bundle, &hook.id).await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_probe_of_a_hook_is_ready_and_another_method_is_kept() {
    let bundle = Bundle::start().await;
    for watch in by_hand() {
        let hook = bundle.hook(watch.trigger.name).await;
        let before = counts(&bundle).await;
        for query in ["", "?challenge=x", "?hub.mode=subscribe"] {
            let get = answer(bundle.http.get(format!("{}{query}", hook.url))).await;
            assert_eq!((get.status.as_u16(), get.json()), (200, json!({ "status": "ready" })));
            let head = answer(bundle.http.head(format!("{}{query}", hook.url))).await;
            assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
        }
        assert_eq!(counts(&bundle).await, before);
        for (kept, method) in [Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS].into_iter().enumerate() {
            let sent = bundle.http.request(method.clone(), &hook.url).body(r#"{"tag":"t"}"#);
            let answer = answer(sent).await;
            problem(&answer, 405, "method_not_allowed");
            assert_eq!(answer.headers["allow"], "GET, HEAD, POST");
            let rejected = rejected(&bundle, &hook.id).await;
            assert_eq!((rejected.len(), &rejected[0]["code"]), (kept + 1, &json!("method_not_allowed")));
            assert!(
                string(&rejected[0]["detail"]).contains(method.as_str()) && rejected[0]["body"] == r#"{"tag":"t"}"#
            );
        }
        for method in [Method::GET, Method::HEAD, Method::PUT] {
            let wrong = answer(bundle.http.request(method, format!("{}x", hook.url))).await;
            assert_eq!(wrong.status, 404);
        }
    }
}

#[tokio::test]
async fn a_body_may_have_256_kb_and_no_byte_more() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let largest = sized(MAX_BODY_BYTES);
    assert_eq!(largest.len(), MAX_BODY_BYTES);
    let event = event(&bundle, &bundle.send(&hook.url, largest.clone()).await).await;
    assert_eq!(event["data"]["raw"].to_string(), largest);
    bundle.until_count("/v1/subscribers", 1).await;
    for (at, bytes) in [MAX_BODY_BYTES + 1, 9 * 1024 * 1024].into_iter().enumerate() {
        problem(&bundle.send(&hook.url, sized(bytes)).await, 413, "body_too_large");
        let kept = rejected(&bundle, &hook.id).await;
        assert_eq!(kept.len(), at + 1);
        assert_eq!((&kept[0]["code"], &kept[0]["bytes"]), (&json!("body_too_large"), &json!(bytes)));
        assert_eq!(kept[0]["body"], Value::Null, "too large to keep");
    }
    assert_eq!(bundle.all("/v1/events").await.len(), 1);
}

#[tokio::test]
async fn over_10_mb_is_read_no_further() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let body = sized(10 * 1024 * 1024 + 1);
    // The connection may be closed before the client has sent it all: then there is no answer to read.
    if let Ok(response) = bundle.http.post(&hook.url).body(body).send().await {
        assert_eq!(response.status(), 413);
    }
    bundle.accept(&hook, &json!({ "tag": "vip" })).await;
    assert_eq!(bundle.all("/v1/events").await.len(), 1);
}

/// The largest person that fits: the record holds both what is known of it and the platform's own object.
#[tokio::test]
async fn a_person_as_large_as_a_body_may_be_is_kept() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-subscriber").await;
    let body = sized(MAX_BODY_BYTES).replace("\"id\":\"u-1\"}", "\"id\":\"u-1\"").replace("\"}", "\"}}");
    let body = body.replacen('x', "", body.len() - MAX_BODY_BYTES);
    event(&bundle, &bundle.send(&hook.url, body).await).await;
    let people = bundle.until_count("/v1/subscribers", 1).await;
    assert_eq!(people[0]["platform_id"], "u-1");
}

#[tokio::test]
async fn a_body_that_is_neither_json_nor_a_form_is_400_and_kept() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: [&[u8]; 12] = [
        b"",
        b" ",
        b"hello",
        b"{\"tag\":",
        b"{\"tag\":\"vip\"} trailing",
        b"{'tag':'vip'}",
        b"<tag>vip</tag>",
        b"=vip",
        b"\xc0\xfe\x00",
        b"\xff\xfe\x00",
        b"\x1f\x8b\x08\x00\x00",
        deep.as_bytes(),
    ];
    for (at, body) in bodies.into_iter().enumerate() {
        problem(&bundle.send(&hook.url, body.to_vec()).await, 400, "unreadable_body");
        let kept = rejected(&bundle, &hook.id).await;
        assert_eq!(kept.len(), at + 1);
        assert_eq!((&kept[0]["code"], &kept[0]["bytes"]), (&json!("unreadable_body"), &json!(body.len())));
        assert_eq!(kept[0]["body"], shown(body));
        assert!(kept[0]["detail"].as_str().is_some_and(|detail| detail.starts_with("the body is ")));
    }
    assert_eq!(bundle.all("/v1/events").await, [Value::Null; 0]);
}

#[tokio::test]
async fn odd_json_is_an_event_all_the_same() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let nested = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    for (body, raw) in [
        ("null", json!(null)),
        ("5", json!(5)),
        ("\"text\"", json!("text")),
        ("[]", json!([])),
        ("{}", json!({})),
        (r#"{"tag":"a","tag":"b"}"#, json!({ "tag": "b" })),
        (
            r#"{"tag":"nul \u0000","user":{"id":"\u0000","name":"\u0000"}}"#,
            json!({ "tag": "nul \0", "user": { "id": "\0", "name": "\0" } }),
        ),
        (r#"{"tag":"日本語 🎉","user":{"id":"ä/~#%00"}}"#, json!({ "tag": "日本語 🎉", "user": { "id": "ä/~#%00" } })),
        (r#"{"__proto__":{"a":1},"":{"":""}}"#, json!({ "__proto__": { "a": 1 }, "": { "": "" } })),
        (r#"{"user":{"id":{"$ne":1}},"tag":["a","b"]}"#, json!({ "user": { "id": { "$ne": 1 } }, "tag": ["a", "b"] })),
        (&nested, serde_json::from_str(&nested).unwrap()),
    ] {
        let event = event(&bundle, &bundle.send(&hook.url, body.to_owned()).await).await;
        assert_eq!(event["data"]["raw"], raw, "{body}");
    }
    let people = bundle.until_count("/v1/subscribers", 2).await;
    assert_eq!(people.iter().filter(|person| person["platform_id"] == "\0").count(), 1);
    assert_eq!(rejected(&bundle, &hook.id).await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_form_is_an_event() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let form = bundle.http.post(&hook.url).header("content-type", "application/x-www-form-urlencoded");
    let event = event(&bundle, &answer(form.body("user_id=u-1&tag=v%20i+p&a=1&a=2")).await).await;
    assert_eq!(event["data"]["raw"], json!({ "user_id": "u-1", "tag": "v i p", "a": ["1", "2"] }));
    assert_eq!((&event["data"]["tag"], &event["data"]["subscriber"]["platform_id"]), (&json!("v i p"), &json!("u-1")));
}

#[tokio::test]
async fn headers_and_queries_of_a_webhook_refuse_nothing() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook_with("botstar.watch-tag", json!({ "dedupe_seconds": 0 })).await;
    for (name, value) in [
        ("content-type", "text/plain".as_bytes()),
        ("content-type", b"application/json; charset=\xff"),
        ("content-type", &[b'x'; 8_000]),
        ("content-type", b""),
        ("authorization", b"Bearer wrong"),
        ("authorization", b"\xc3\xa4"),
        ("accept", b"text/html"),
        ("x-request-id", b"mine"),
    ] {
        let post = bundle.http.post(format!("{}?limit=x&limit=y&%ff", hook.url)).header(name, value);
        let answer = answer(post.body(r#"{"tag":"vip"}"#)).await;
        event(&bundle, &answer).await;
        assert_ne!(answer.headers["x-request-id"], "mine", "the id is ours");
    }
    let bad = bundle.http.post(&hook.url).header("content-type", [b'x'; 8_000].as_slice()).body("hello");
    refused(bad, 400, "unreadable_body").await;
    assert_eq!(rejected(&bundle, &hook.id).await[0]["content_type"].as_str().unwrap().len(), 200);
}

/// A rejected body as it is listed.
fn shown(body: &[u8]) -> String {
    str::from_utf8(body).map_or_else(|_| BASE64.encode(body), str::to_owned)
}

/// Bytes of any kind, and texts that are nearly JSON or a form.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        r#"[\[\]{}",:\\ud89a-f0e+=&%. -]{0,60}"#.prop_map(String::into_bytes),
        "[a-z]{1,3}=[ -~]{0,20}(&[a-z]{1,3}=\\PC{0,20}){0,3}".prop_map(String::into_bytes),
        r#"\{"user":\{"id":("\PC{0,5}"|-?[0-9]{1,30}|null|\[\])\},"tag":("[a-z]{0,5}"|[0-9]{1,40})\}"#
            .prop_map(String::into_bytes),
    ]
}

async fn taken(bundle: &Bundle, hook: &TestHook, body: &[u8], content_type: &str) -> Result<(), TestCaseError> {
    let before = rejected(bundle, &hook.id).await.len();
    let post = bundle.http.post(&hook.url).header("content-type", content_type).body(body.to_vec());
    let answer = answer(post).await;
    let kept = rejected(bundle, &hook.id).await;
    match answer.status.as_u16() {
        200 => {
            let id = answer.json()["event"].as_str().unwrap().to_owned();
            let event = bundle.get(&format!("/v1/events/{id}"), 200).await;
            prop_assert_eq!(&event["id"], &json!(id));
            prop_assert_eq!(kept.len(), before);
        }
        400 => {
            prop_assert_eq!(kept.len(), before + 1);
            prop_assert_eq!(&kept[0]["body"], &json!(shown(body)));
        }
        other => prop_assert!(false, "{} answered: {}", other, answer.text),
    }
    Ok(())
}

#[test]
fn every_post_becomes_an_event_or_a_rejected_call() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (bundle, hook) = runtime.block_on(async {
        let bundle = Bundle::start().await;
        let hook = bundle.hook_with("botstar.watch-tag", json!({ "dedupe_seconds": 0 })).await;
        (bundle, hook)
    });
    let content_type =
        proptest::sample::select(vec!["application/json", "application/x-www-form-urlencoded", "text/plain"]);
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(any_body(), content_type), |(body, content_type)| {
        runtime.block_on(taken(&bundle, &hook, &body, content_type))
    });
    outcome.unwrap();
}
