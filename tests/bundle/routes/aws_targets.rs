//! Routes to AWS targets: what is checked when one is saved, and what a test of one shows.

use crate::support::{
    assertions::refused,
    aws_services::{ALL, BUS, FIFO_QUEUE, QUEUE, STATE_MACHINE, Services, TOPIC},
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Bundle, answer, string};

fn route(target: &Value) -> Value {
    json!({ "name": "Orders", "events": ["botstar.tag.added"], "target": target })
}

/// The faults of a target, by the pointers in the body.
async fn faults(bundle: &Bundle, target: Value) -> Vec<(String, String)> {
    let problem = bundle.post("/v1/routes", &route(&target), 422).await;
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|fault| (string(&fault["pointer"]), string(&fault["detail"]))).collect()
}

#[tokio::test]
async fn a_route_to_a_listed_arn_is_shown_as_it_was_saved() {
    let services = Services::start().await;
    let bundle = services.bundle(&ALL).await;
    for arn in ALL {
        let group = arn.ends_with(".fifo").then_some("data.subscriber.id");
        let target = json!({ "type": "aws", "arn": arn, "input": { "tag": "data.tag" }, "group": group });
        let made = bundle.post("/v1/routes", &route(&target), 201).await;
        assert_eq!(made["target"], target);
        let path = format!("/v1/routes/{}", string(&made["id"]));
        assert_eq!(bundle.get(&path, 200).await["target"], target);
        let other = json!({ "type": "aws", "arn": QUEUE });
        let shown = bundle.patch(&path, &json!({ "target": other }), 200).await["target"].clone();
        assert_eq!(shown, json!({ "type": "aws", "arn": QUEUE, "input": null, "group": null }));
        let rotated = bundle.request(Method::POST, &format!("{path}/rotate"));
        refused(rotated, 409, "conflict").await;
    }
}

#[tokio::test]
async fn what_can_not_be_delivered_is_refused_with_its_pointer() {
    let services = Services::start().await;
    let bundle = services.bundle(&ALL).await;
    let of = |fields: Value| {
        let mut target = json!({ "type": "aws", "arn": QUEUE });
        for (name, value) in fields.as_object().unwrap() {
            target[name] = value.clone();
        }
        target
    };
    let other = "arn:aws:sqs:us-east-1:123456789012:others";
    for (target, pointer, words) in [
        (of(json!({ "arn": other })), "/target/arn", "add it to the parameter AwsTargets"),
        (of(json!({ "arn": format!("{QUEUE} ") })), "/target/arn", "must name a queue"),
        (of(json!({ "arn": QUEUE.replace("us-east-1", "us-east-2") })), "/target/arn", "AwsTargets"),
        (of(json!({ "arn": QUEUE.replace("123456789012", "123456789013") })), "/target/arn", "AwsTargets"),
        (of(json!({ "arn": STATE_MACHINE.replace(":live", "") })), "/target/arn", "AwsTargets"),
        (of(json!({ "arn": "orders" })), "/target/arn", "must be an ARN"),
        (of(json!({ "arn": 1 })), "/target/arn", "is not of type"),
        (json!({ "type": "aws" }), "/target/arn", "is required"),
        (of(json!({ "arn": FIFO_QUEUE })), "/target/group", "is required for a FIFO queue or topic"),
        (of(json!({ "group": "data.tag" })), "/target/group", "is only possible for a FIFO queue or topic"),
        (of(json!({ "arn": FIFO_QUEUE, "group": "data.tag +" })), "/target/group", "1:"),
        (of(json!({ "input": { "a": "nothing" } })), "/target/input/a", "1:1"),
        (of(json!({ "url": "https://example.org" })), "/target/url", "not"),
        (json!({ "type": "sqs" }), "/target/type", "must be webhook, action or aws"),
    ] {
        let faults = faults(&bundle, target.clone()).await;
        let is_named = faults.iter().any(|(at, detail)| at == pointer && detail.contains(words));
        assert!(is_named, "{target}: {faults:?}");
    }
}

#[tokio::test]
async fn a_laptop_without_an_emulator_refuses_an_aws_target_in_words() {
    let settings = [("AWS_TARGETS", QUEUE), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let bundle = Bundle::start_with(&settings).await;
    let faults = faults(&bundle, json!({ "type": "aws", "arn": QUEUE })).await;
    let [(pointer, detail)] = &faults[..] else { panic!("{faults:?}") };
    assert_eq!(pointer, "/target/arn");
    assert!(detail.contains("set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), "{detail}");
}

#[tokio::test]
async fn a_test_shows_the_request_and_sends_nothing() {
    let services = Services::start().await;
    let bundle = services.bundle(&ALL).await;
    let made = bundle.post("/v1/routes", &route(&json!({ "type": "aws", "arn": BUS })), 201).await;
    let path = format!("/v1/routes/{}/test", string(&made["id"]));
    let tested = bundle.post(&path, &json!({}), 200).await;
    let request = &tested["request"];
    assert_eq!((&request["type"], &request["arn"]), (&json!("aws"), &json!(BUS)));
    assert_eq!(request["url"], format!("{}/", services.url));
    let headers = json!({ "content-type": "application/x-amz-json-1.1", "x-amz-target": "AWSEvents.PutEvents" });
    assert_eq!(request["headers"], headers);
    let detail: Value = serde_json::from_str(request["body"]["Entries"][0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail, tested["event"]);
    assert_eq!(tested["matches"], true);

    for (arn, field) in [(STATE_MACHINE, "name"), (FIFO_QUEUE, "MessageDeduplicationId")] {
        let group = (arn == FIFO_QUEUE).then_some("data.tag");
        let target = json!({ "type": "aws", "arn": arn, "group": group });
        let draft = json!({ "events": ["botstar.tag.added"], "target": target });
        let tested = bundle.post("/v1/routes/test", &draft, 200).await;
        let key = string(&tested["request"]["body"][field]);
        assert!(key.starts_with("dlv_") && key.ends_with("-0"), "{key}");
    }
    let draft = json!({ "events": ["botstar.tag.added"], "target": { "type": "aws", "arn": TOPIC } });
    let form = string(&bundle.post("/v1/routes/test", &draft, 200).await["request"]["body"]);
    assert!(form.starts_with("Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3A"), "{form}");

    let sending = bundle.request(Method::POST, &path).json(&json!({ "send": true }));
    let refusal = answer(sending).await;
    assert_eq!(refusal.status, 422);
    assert!(refusal.text.contains("is only possible for a webhook; replay an event to try an AWS target"));
    assert_eq!(services.sent().len(), 0);
}

#[tokio::test]
async fn a_test_names_the_fault_of_a_message_that_is_too_large() {
    let services = Services::start().await;
    let bundle = services.bundle(&ALL).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let body = json!({ "user": { "id": "u-1" }, "tag": "vip", "text": "x".repeat(200_000) });
    let event = bundle.accept(&hook, &body).await;
    let input = json!({ "text": "data.raw.text + data.raw.text" });
    let target = json!({ "type": "aws", "arn": STATE_MACHINE, "input": input });
    let draft = json!({ "events": ["botstar.tag.added"], "event": event, "target": target });
    let tested = bundle.post("/v1/routes/test", &draft, 200).await;
    assert_eq!(tested["request"], Value::Null);
    assert_eq!(tested["fault"], "the message has 400011 bytes, and a state machine takes at most 262144");
}
