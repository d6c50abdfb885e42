//! Deliveries to AWS targets: what each service is sent, and what its answers lead to.

use crate::support::{
    aws_services::{ALL, BUS, FIFO_QUEUE, FIFO_TOPIC, FUNCTION, Play, QUEUE, STATE_MACHINE, Sent, Services, TOPIC},
    delivery_worker::DeliveryWorker,
};
use axum::http::Method;
use models::{DeliveryId, DeliveryState, StoredDelivery, delivery::Reason};
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Bundle, string};

struct Aws {
    services: Services,
    bundle: Bundle,
}

impl Aws {
    async fn start() -> Self {
        let services = Services::start().await;
        Self { bundle: services.bundle(&ALL).await, services }
    }

    /// A worker with one route, to an AWS target.
    async fn worker(&self, arn: &str, fields: Value) -> DeliveryWorker<'_> {
        let worker = DeliveryWorker::of(&self.bundle).await;
        let mut target = json!({ "type": "aws", "arn": arn });
        for (name, value) in fields.as_object().unwrap() {
            target[name] = value.clone();
        }
        worker.route(json!({ "target": target })).await;
        worker
    }

    /// Attempts a new delivery; what was sent for it, and what was stored of it.
    async fn attempt(&self, worker: &DeliveryWorker<'_>) -> (Vec<Sent>, StoredDelivery) {
        let delivery = worker.one_delivery().await;
        worker.deliver(&delivery).await;
        (self.services.sent(), worker.delivery(&delivery).await)
    }

    async fn sent_to(&self, arn: &str, fields: Value) -> (Sent, StoredDelivery) {
        let worker = self.worker(arn, fields).await;
        let (sent, delivery) = self.attempt(&worker).await;
        assert_eq!(delivery.state, DeliveryState::Succeeded, "{delivery:?}");
        assert_eq!(delivery.attempts[0].error, None);
        (sent.into_iter().next_back().unwrap(), delivery)
    }
}

fn event_of(text: &Value, delivery: &StoredDelivery) -> Value {
    let event: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert_eq!((&event["specversion"], &event["id"]), (&json!("1.0"), &json!(delivery.event.as_str())));
    event
}

#[tokio::test]
async fn an_event_bus_gets_an_entry_by_which_rules_can_select_it() {
    let aws = Aws::start().await;
    let worker = aws.worker(BUS, json!({})).await;
    let (sent, delivery) = aws.attempt(&worker).await;
    let operations: Vec<_> = sent.iter().map(|sent| sent.operation.as_str()).collect();
    assert_eq!(operations, ["DescribeEventBus", "PutEvents"]);
    assert_eq!(sent[0].body, json!({ "Name": "orders" }));
    let [entry] = &sent[1].body["Entries"].as_array().unwrap()[..] else { panic!("{sent:?}") };
    let event = event_of(&entry["Detail"], &delivery);
    let rest = json!({
        "EventBusName": BUS, "Source": "switchboard", "DetailType": "botstar.tag.added",
        "Time": delivery.event.time().seconds(), "Detail": entry["Detail"],
    });
    assert_eq!(*entry, rest);
    assert_eq!((&event["type"], &event["data"]["tag"]), (&json!("botstar.tag.added"), &json!("vip")));
    assert_eq!(delivery.attempts[0].status, Some(200));
    assert_eq!(delivery.attempts[0].body.as_deref(), Some("id-1"), "the entry's EventId");
    let (sent, _) = aws.attempt(&worker).await;
    assert_eq!(sent.len(), 1, "a process asks once whether the bus exists");
}

#[tokio::test]
async fn a_queue_gets_a_message_with_attributes() {
    let aws = Aws::start().await;
    let (sent, delivery) = aws.sent_to(QUEUE, json!({})).await;
    assert_eq!((sent.service.as_str(), sent.region.as_str()), ("sqs", "us-east-1"));
    let event = event_of(&sent.body["MessageBody"], &delivery);
    let attribute = |value: &Value| json!({ "DataType": "String", "StringValue": value });
    let attributes = json!({
        "content-type": attribute(&json!("application/cloudevents+json")), "id": attribute(&event["id"]),
        "type": attribute(&event["type"]), "source": attribute(&event["source"]),
    });
    let url = "https://sqs.us-east-1.amazonaws.com/123456789012/orders";
    let expected = json!({ "QueueUrl": url, "MessageBody": sent.body["MessageBody"], "MessageAttributes": attributes });
    assert_eq!(sent.body, expected);
}

#[tokio::test]
async fn a_topic_gets_a_form_with_attributes_for_filter_policies() {
    let aws = Aws::start().await;
    let (sent, delivery) = aws.sent_to(TOPIC, json!({})).await;
    assert_eq!((sent.service.as_str(), sent.region.as_str()), ("sns", "eu-west-1"));
    event_of(&sent.body["Message"], &delivery);
    assert_eq!((&sent.body["TopicArn"], &sent.body["Version"]), (&json!(TOPIC), &json!("2010-03-31")));
    let attribute = |number: usize, part: &str| &sent.body[format!("MessageAttributes.entry.{number}.{part}")];
    assert_eq!(
        (attribute(3, "Name"), attribute(3, "Value.StringValue")),
        (&json!("type"), &json!("botstar.tag.added"))
    );
    assert_eq!(attribute(3, "Value.DataType"), "String");
    assert_eq!(delivery.attempts[0].body.as_deref(), Some("id-1"), "the MessageId");
}

#[tokio::test]
async fn a_state_machine_gets_an_execution_named_after_the_delivery() {
    let aws = Aws::start().await;
    let (sent, delivery) = aws.sent_to(STATE_MACHINE, json!({ "input": { "tag": "data.tag" } })).await;
    let name = format!("{}-0", delivery.id);
    assert!(name.len() <= 80);
    let input = json!({ "tag": "vip" }).to_string();
    assert_eq!(sent.body, json!({ "stateMachineArn": STATE_MACHINE, "name": name, "input": input }));
    assert_eq!(delivery.attempts[0].body.as_deref(), Some("arn:aws:states:us-east-1:123456789012:execution:orders:1"));
}

#[tokio::test]
async fn a_function_is_invoked_asynchronously_with_the_event() {
    let aws = Aws::start().await;
    let (sent, delivery) = aws.sent_to(FUNCTION, json!({})).await;
    let arn = FUNCTION.replace(':', "%3A").replace('$', "%24");
    assert_eq!(sent.path, format!("/2015-03-31/functions/{arn}/invocations"));
    assert_eq!(sent.headers["x-amz-invocation-type"], "Event");
    assert_eq!(sent.body["id"], delivery.event.as_str());
    assert_eq!(delivery.attempts[0].status, Some(202));
}

#[tokio::test]
async fn a_fifo_target_gets_a_group_and_a_deduplication_id_that_a_retry_by_hand_changes() {
    for arn in [FIFO_QUEUE, FIFO_TOPIC] {
        let aws = Aws::start().await;
        let worker = aws.worker(arn, json!({ "group": "data.subscriber.platform_id" })).await;
        let (sent, delivery) = aws.attempt(&worker).await;
        let of = |sent: &[Sent], name: &str| string(&sent[0].body[name]);
        assert_eq!(of(&sent, "MessageGroupId"), "u-0");
        assert_eq!(of(&sent, "MessageDeduplicationId"), format!("{}-0", delivery.id));
        aws.services.play(Play::Refused);
        let (sent, delivery) = aws.attempt(&worker).await;
        assert_eq!(of(&sent, "MessageGroupId"), "u-1");
        assert_eq!((delivery.state, delivery.reason), (DeliveryState::Dead, Some(Reason::TargetRefused)));
        retry(&worker, &delivery.id).await;
        worker.deliver(&delivery.id).await;
        assert_eq!(of(&aws.services.sent(), "MessageDeduplicationId"), format!("{}-1", delivery.id));
    }
}

async fn retry(worker: &DeliveryWorker<'_>, delivery: &DeliveryId) {
    let path = format!("/v1/deliveries/{delivery}/retry");
    assert_eq!(worker.harness.answer(Method::POST, &path, "{}").await.status, 200);
}

#[tokio::test]
async fn a_bus_that_was_deleted_gets_nothing_and_one_that_may_not_be_asked_for_does() {
    let aws = Aws::start().await;
    let worker = aws.worker(BUS, json!({})).await;
    aws.services.play(Play::Gone);
    let (sent, delivery) = aws.attempt(&worker).await;
    assert_eq!(sent.len(), 1, "no event is sent: PutEvents would answer success");
    let error = delivery.attempts[0].error.clone().unwrap();
    assert!(error.starts_with("nothing was sent: the event bus arn:") && error.ends_with("does not exist"), "{error}");
    assert_eq!(delivery.state, DeliveryState::Pending);

    aws.services.play(Play::Forbidden);
    aws.bundle.clock.advance(Duration::from_secs(10));
    worker.deliver(&delivery.id).await;
    let operations: Vec<_> = aws.services.sent().into_iter().map(|sent| sent.operation).collect();
    assert_eq!(operations, ["DescribeEventBus", "PutEvents"]);
    let delivery = worker.delivery(&delivery.id).await;
    assert_eq!((delivery.state, delivery.attempts[1].status), (DeliveryState::Pending, Some(403)));
    assert_eq!(delivery.attempts[1].error.as_deref(), Some("AWS answered AccessDeniedException: said so"));
}

/// All deliveries of a batch wait for the same answer.
#[tokio::test]
async fn deliveries_at_the_same_time_ask_once_whether_a_bus_exists() {
    let aws = Aws::start().await;
    let worker = aws.worker(BUS, json!({})).await;
    let mut deliveries = Vec::new();
    for _ in 0..10 {
        deliveries.push(worker.one_delivery().await);
    }
    futures::future::join_all(deliveries.iter().map(|delivery| worker.deliver(delivery))).await;
    let asked = aws.services.sent().into_iter().filter(|sent| sent.operation == "DescribeEventBus").count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_group_that_is_none_makes_a_delivery_unmappable() {
    for (group, words) in [
        ("data.raw.number", "the group: must be a text"),
        ("data.raw.user", "the group: must be a text"),
        ("data.raw.nothing", "the group: "),
        ("''", "must have 1 to 128 characters"),
        ("'two words'", "must have 1 to 128 characters"),
        ("'é'", "must have 1 to 128 characters"),
        (&format!("'{}'", "x".repeat(129)), "must have 1 to 128 characters"),
    ] {
        let aws = Aws::start().await;
        let worker = aws.worker(FIFO_QUEUE, json!({ "group": group })).await;
        let (sent, delivery) = aws.attempt(&worker).await;
        assert_eq!(sent.len(), 0);
        assert_eq!((delivery.state, delivery.reason), (DeliveryState::Dead, Some(Reason::Unmappable)), "{group}");
        let error = delivery.attempts[0].error.clone().unwrap();
        assert!(error.starts_with("nothing was sent: ") && error.contains(words), "{group}: {error}");
    }
}

/// SQS takes characters of XML 1.0 only, so others are escaped in the JSON.
#[tokio::test]
async fn odd_characters_and_large_numbers_reach_a_queue() {
    let aws = Aws::start().await;
    let worker = aws.worker(QUEUE, json!({})).await;
    let odd = "\u{1}\u{b}\u{7f}\u{fffd}\u{fffe}\u{ffff}\u{1f600}";
    let number = "123456789012345678901234567890";
    let text = json!({ "user": { "id": "u-1" }, "tag": odd, odd: odd }).to_string();
    let body = text.replacen('{', &format!("{{\"number\":{number},"), 1);
    let hook = &worker.hook;
    assert_eq!(worker.harness.send(hook, body).await.json()["status"], "accepted");
    worker.dispatch().await;
    let (delivery, _) = worker.one_sent();
    worker.deliver(&delivery).await;
    let [sent] = &aws.services.sent()[..] else { panic!("one call") };
    let message = string(&sent.body["MessageBody"]);
    let is_refused =
        |one: char| matches!(one, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    assert!(!message.contains(is_refused), "{message}");
    let event: Value = serde_json::from_str(&message).unwrap();
    assert_eq!((&event["data"]["tag"], &event["data"]["raw"][odd]), (&json!(odd), &json!(odd)));
    assert_eq!(event["data"]["raw"]["number"].to_string(), number);
}

#[tokio::test]
async fn a_target_that_is_no_longer_listed_gets_nothing_until_it_is_again() {
    let aws = Aws::start().await;
    let mut worker = aws.worker(QUEUE, json!({})).await;
    worker.harness.app.config.aws_targets.retain(|arn| arn != QUEUE);
    let (sent, delivery) = aws.attempt(&worker).await;
    assert_eq!((sent.len(), delivery.state), (0, DeliveryState::Pending));
    let error = delivery.attempts[0].error.clone().unwrap();
    assert!(error.starts_with("nothing was sent: the target's ARN is not an ARN that routes may target"), "{error}");
    assert!(error.contains("AwsTargets"), "{error}");
}

#[tokio::test]
async fn an_aws_target_that_always_fails_opens_the_breaker_and_recovers() {
    let aws = Aws::start().await;
    let worker = aws.worker(FUNCTION, json!({})).await;
    aws.services.play(Play::Forbidden);
    for _ in 0..20 {
        worker.event().await;
        // Once there are enough failures, a message comes for a check of their age.
        for (delivery, _) in worker.sent() {
            worker.deliver(&delivery).await;
        }
        aws.bundle.clock.advance(Duration::from_secs(4));
    }
    worker.sent();
    aws.services.sent();
    let health = || async { worker.harness.all("/v1/routes").await[0]["health"]["state"].clone() };
    assert_eq!(health().await, "failing");
    aws.services.play(Play::Taken);
    aws.bundle.clock.advance(Duration::from_secs(61));
    let (sent, _) = aws.attempt(&worker).await;
    assert_eq!(sent.len(), 1, "the probe");
    assert_eq!(health().await, "healthy");
    assert_eq!(worker.own_events("switchboard.route.failing").await.len(), 1);
    assert_eq!(worker.own_events("switchboard.route.recovered").await.len(), 1);
}

#[tokio::test]
async fn a_throttled_call_waits_as_long_as_the_service_asks_for() {
    let aws = Aws::start().await;
    let worker = aws.worker(FUNCTION, json!({})).await;
    aws.services.play(Play::Throttled);
    let (_, delivery) = aws.attempt(&worker).await;
    let wait = delivery.next_attempt_at.unwrap().millis_since(worker.harness.app.now()) / 1000;
    assert!((90..=99).contains(&wait), "{wait}");
    assert_eq!(delivery.attempts[0].error.as_deref(), Some("AWS answered TooManyRequestsException: said so"));
}

#[tokio::test]
async fn an_endpoint_that_can_not_be_reached_is_tried_again() {
    let settings = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_TARGETS", QUEUE),
        ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"),
    ];
    let bundle = Bundle::start_with(&settings).await;
    bundle.clock.hold();
    let worker = DeliveryWorker::of(&bundle).await;
    worker.route(json!({ "target": { "type": "aws", "arn": QUEUE } })).await;
    let delivery = worker.one_delivery().await;
    worker.deliver(&delivery).await;
    let delivery = worker.delivery(&delivery).await;
    assert_eq!((delivery.state, delivery.attempts[0].status), (DeliveryState::Pending, None));
    let error = delivery.attempts[0].error.clone().unwrap();
    assert!(error.starts_with("no answer: "), "{error}");
}
