//! Receiving: envelopes, bodies, mappings, one write, and a store that fails.

use crate::support::{
    assertions::received,
    harness::{Fault, Harness},
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use models::Timestamp;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tests::{Bundle, answer, string};

fn ava() -> Value {
    json!({ "id": "u-1", "name": "Ava Chen", "email": "ava@example.com", "tags": ["vip"], "plan": "gold" })
}

#[tokio::test]
async fn a_checkpoint_record_becomes_an_event_a_subscriber_and_a_record() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    let body = json!({
        "user": { "id": "u-1", "name": "Ava Chen" },
        "checkpoint": { "name": "Coffee Order" },
        "record": { "fields": { "Product": "Latte" } },
    });
    let event = bundle.accept(&hook, &body).await;
    let records = bundle.until_count("/v1/checkpoint-records", 1).await;
    assert_eq!(records[0]["fields"], json!({ "Product": "Latte" }));
    assert_eq!(records[0]["event"], event.as_str());
    let subscribers = bundle.until_count("/v1/subscribers", 1).await;
    assert_eq!(subscribers[0]["name"], "Ava Chen");
    let envelope = bundle.get(&format!("/v1/events/{event}"), 200).await;
    assert_eq!(envelope["data"]["raw"], body);
}

#[tokio::test]
async fn the_envelope_has_the_fields_of_the_body() {
    let bundle = Bundle::start().await;
    let types = [
        ("watch-subscriber", "subscriber.created", json!({}), json!({})),
        ("watch-tag", "tag.added", json!({ "tag": "new" }), json!({ "tag": "new" })),
        (
            "watch-human-takeover",
            "takeover.requested",
            json!({ "takeover": { "reason": "refund" } }),
            json!({ "takeover": { "reason": "refund" } }),
        ),
        (
            "watch-checkpoint-record",
            "checkpoint_record.created",
            json!({ "checkpoint": { "id": 7, "name": "Order" }, "record": { "id": "r-1", "fields": { "n": 1.50 } } }),
            json!({ "checkpoint": { "id": "7", "name": "Order" }, "record": { "id": "r-1", "fields": { "n": 1.5 } } }),
        ),
    ];
    for (trigger, event_type, more, reported) in types {
        let hook = bundle.hook(&format!("botstar.{trigger}")).await;
        let mut body = more.clone();
        body["user"] = ava();
        let before = bundle.local.app.now();
        let id = bundle.accept(&hook, &body).await;
        let after = bundle.local.app.now();
        let envelope = bundle.get(&format!("/v1/events/{id}"), 200).await;
        let time = Timestamp::parse(&string(&envelope["time"])).expect("a time");
        assert!((before..=after).contains(&time), "{before} {time} {after}");
        let subject = string(&envelope["subject"]);
        assert!(subject.starts_with("sub_"), "{subject}");
        let tags = if trigger == "watch-tag" { json!(["new", "vip"]) } else { json!(["vip"]) };
        let mut data = json!({
            "hook": hook.id,
            "connection": hook.connection,
            "subscriber": {
                "id": subject, "platform": "botstar", "connection": hook.connection, "platform_id": "u-1",
                "name": "Ava Chen", "first_name": null, "last_name": null, "email": "ava@example.com", "phone": null,
                "channel": null, "locale": null, "timezone": null, "picture": null,
                "tags": tags, "attributes": { "plan": "gold" }, "platform_user": ava(),
                "first_seen": null, "last_seen": null,
            },
            "environment": null,
            "query": null,
            "truncated": false,
            "raw": body,
            "unmapped": [],
        });
        for (name, value) in reported.as_object().expect("an object") {
            data[name] = value.clone();
        }
        let whole = json!({
            "specversion": "1.0", "id": id, "source": format!("/hooks/{}", hook.id),
            "type": format!("botstar.{event_type}"), "subject": subject, "time": envelope["time"],
            "datacontenttype": "application/json", "data": data,
        });
        assert_eq!(envelope, whole);
        assert_eq!(bundle.all(&format!("/v1/events?hook={}", hook.id)).await, [whole]);
    }
}

#[tokio::test]
async fn the_receipt_names_the_event_in_its_header_too() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for status in ["accepted", "duplicate"] {
        let answer = bundle.send(&hook.url, r#"{"tag":"vip"}"#).await;
        let receipt = answer.json();
        assert_eq!((answer.status.as_u16(), &receipt["status"]), (200, &json!(status)));
        assert_eq!(answer.headers["x-switchboard-event"], string(&receipt["event"]).as_str());
    }
}

#[tokio::test]
async fn the_body_is_kept_byte_for_byte() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-subscriber").await;
    for body in [
        r#"{"z": 1,  "a":[ ], "user":{"id":"u-1"}, "big": 123456789012345678901234567890, "f": 1.10e+2, "-": -0}"#,
        "{\"twice\":1,\n\t\"twice\":2, \"e\":\"\\u00e9\\/é\"}",
        r#"{"half": "\ud83d\ude00", "deep": [[[[[[[[[{"x": 0.1000000000000000055511151231257827}]]]]]]]]]}"#,
        "[1, 2]",
        "\"text\"",
        "null",
    ] {
        let receipt = bundle.send(&hook.url, body).await.json();
        assert_eq!(receipt["status"], "accepted", "{body}");
        let path = format!("/v1/events/{}", string(&receipt["event"]));
        let raw = format!("\"raw\":{body}}}");
        for path in [path.as_str(), "/v1/events"] {
            let text = answer(bundle.request(reqwest::Method::GET, path)).await.text;
            assert!(text.contains(&raw), "{raw} is not in {text}");
        }
    }
}

#[tokio::test]
async fn a_form_becomes_an_event() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    for (body, content_type) in [
        ("user_id=7&tag=new+one&more=1&more=%C3%A9", "application/x-www-form-urlencoded; charset=utf-8"),
        ("user_id=7&tag=new+one&more=1&more=%C3%A9&x=", "text/plain"),
    ] {
        let post = bundle.http.post(&hook.url).header("content-type", content_type).body(body);
        let receipt = tests::expect(post, 200).await;
        assert_eq!(receipt["status"], "accepted");
        let data = bundle.get(&format!("/v1/events/{}", string(&receipt["event"])), 200).await["data"].clone();
        assert_eq!(data["tag"], "new one");
        assert_eq!(data["subscriber"]["platform_id"], "7");
        assert_eq!((&data["raw"]["tag"], &data["raw"]["more"]), (&json!("new one"), &json!(["1", "é"])));
    }
}

#[tokio::test]
async fn fields_that_are_not_found_are_listed_and_the_event_is_kept() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    for (body, unmapped) in [
        ("{\"hello\":1}", json!(["checkpoint.name", "record.fields", "subscriber.id"])),
        ("5", json!(["checkpoint.name", "record.fields", "subscriber.id"])),
        (r#"{"user":{"id":{}},"checkpoint":"Order"}"#, json!(["record.fields", "subscriber.id"])),
        (r#"{"user_id":1,"fields":{}}"#, json!(["checkpoint.name"])),
    ] {
        let receipt = bundle.send(&hook.url, body).await.json();
        let envelope = bundle.get(&format!("/v1/events/{}", string(&receipt["event"])), 200).await;
        let reported = envelope["data"]["unmapped"].as_array().expect("a list").iter().map(string);
        let mut reported: Vec<String> = reported.collect();
        reported.sort();
        assert_eq!(json!(reported), unmapped, "{body}");
        let lost = unmapped.as_array().is_some_and(|paths| paths.contains(&json!("subscriber.id")));
        assert_eq!(envelope.get("subject").is_none(), lost, "{body}");
        assert_eq!(envelope["data"]["subscriber"].is_null(), lost, "{body}");
        assert!(envelope["data"]["checkpoint"]["id"].is_null() && envelope["data"]["record"]["id"].is_null());
    }
}

#[tokio::test]
async fn a_hooks_mapping_comes_before_what_is_guessed() {
    let bundle = Bundle::start().await;
    let mapping = json!({
        "subscriber.id": "/who/a~1b",
        "subscriber.name": "/who/called",
        "subscriber.email": "/nowhere",
        "subscriber.attributes.tier": "/tier",
        "tag": "/labels/0",
        "takeover.reason": "/tier",
    });
    let hook = bundle.hook_with("botstar.watch-tag", json!({ "mapping": mapping })).await;
    let body = json!({
        "id": "wrong", "email": "wrong@example.com", "tag": "wrong",
        "who": { "a/b": 42, "called": "Ava" }, "tier": 3, "labels": ["right"],
    });
    let id = bundle.accept(&hook, &body).await;
    let data = bundle.get(&format!("/v1/events/{id}"), 200).await["data"].clone();
    assert_eq!(data["tag"], "right");
    assert_eq!(data["subscriber"]["platform_id"], "42");
    assert_eq!((&data["subscriber"]["name"], &data["subscriber"]["email"]), (&json!("Ava"), &Value::Null));
    assert_eq!(data["subscriber"]["attributes"], json!({ "tier": 3 }));
    assert_eq!(data.get("takeover"), None, "no field of this trigger");
    let subscribers = bundle.until_count("/v1/subscribers", 1).await;
    assert_eq!(subscribers[0]["platform_id"], "42");
}

#[tokio::test]
async fn a_warm_accept_is_one_write() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-tag").await;
    let body = |n: u32| json!({ "user": ava(), "tag": n }).to_string();
    harness.send(&hook, body(0)).await;
    let mut expected = received(&bundle);
    let put = ("PutItem".to_owned(), harness.app.config.tables.events.clone());
    for (n, status) in [(1, "accepted"), (1, "duplicate"), (2, "accepted"), (0, "duplicate")] {
        assert_eq!(harness.send(&hook, body(n)).await.json()["status"], status);
        *expected.entry(put.clone()).or_default() += 1;
        assert_eq!(received(&bundle), expected);
    }
}

#[tokio::test]
async fn a_store_that_fails_is_a_503_and_nothing_is_acknowledged() {
    let bundle = Bundle::start().await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-tag").await;
    let body = json!({ "user": ava(), "tag": "new" });
    let faults = [
        Fault::Unreached,
        Fault::Error(400, "ProvisionedThroughputExceededException"),
        Fault::Error(400, "ThrottlingException"),
        Fault::Error(400, "RequestLimitExceeded"),
        Fault::Error(400, "ExpiredTokenException"),
        Fault::Error(500, "InternalServerError"),
        Fault::Error(503, "ServiceUnavailable"),
    ];
    for fault in faults {
        let down = harness.failing(RetryConfig::disabled(), move |operation, _| match operation {
            "PutItem" => fault,
            _ => Fault::None,
        });
        for body in [body.to_string().as_str(), "neither JSON nor a form"] {
            let answer = down.send(&hook, body.to_owned()).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["code"]),
                (503, &json!("store_unavailable")),
                "{fault:?}"
            );
            assert!(answer.headers["retry-after"].to_str().is_ok_and(|seconds| seconds.parse::<u32>().is_ok()));
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            assert!(!answer.headers.contains_key("x-switchboard-event") && !answer.text.contains("evt_"));
        }
    }
    assert_eq!(json!(harness.all("/v1/events").await), json!([]));
    harness.accept(&hook, &body).await;
}

#[tokio::test]
async fn a_write_that_meets_a_transaction_is_tried_again() {
    let bundle = Bundle::start().await;
    let own = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-tag").await;
    let met = AtomicBool::new(false);
    let harness = own.failing(RetryConfig::disabled(), move |operation, _| match operation {
        "PutItem" if !met.swap(true, Ordering::SeqCst) => Fault::Error(400, "TransactionConflictException"),
        _ => Fault::None,
    });
    harness.accept(&hook, &json!({ "user": ava(), "tag": "new" })).await;
}

/// A harness whose store loses the answer to the next request of an operation, once, after it was armed.
fn losing<'b>(harness: &Harness<'b>, operation: &'static str) -> (Harness<'b>, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(false));
    let loses = Arc::clone(&armed);
    let harness = harness.failing(RetryConfig::standard(), move |called, _| {
        if called == operation && loses.swap(false, Ordering::SeqCst) { Fault::AnswerLost } else { Fault::None }
    });
    (harness, armed)
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_accepted_once() {
    let bundle = Bundle::start().await;
    let own = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-tag").await;
    let body = json!({ "user": ava(), "tag": "new" });
    let (harness, armed) = losing(&own, "PutItem");
    armed.store(true, Ordering::SeqCst);
    let first = harness.accept(&hook, &body).await;
    assert!(!armed.load(Ordering::SeqCst), "the answer was lost");
    let again = harness.send(&hook, body.to_string()).await.json();
    assert_eq!((&again["status"], &again["event"]), (&json!("duplicate"), &json!(first)));

    // The rare path too: after the window, the transaction's answer.
    bundle.clock.advance(Duration::from_secs(601));
    let (harness, armed) = losing(&own, "TransactWriteItems");
    armed.store(true, Ordering::SeqCst);
    let second = harness.accept(&hook, &body).await;
    assert!(!armed.load(Ordering::SeqCst), "the answer was lost");
    let listed: Vec<String> = harness.all("/v1/events").await.iter().map(|event| string(&event["id"])).collect();
    assert_eq!(listed, [second, first]);
}
