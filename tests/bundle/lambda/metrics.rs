//! CloudWatch metrics: of webhooks, from a function as Lambda runs it; of deliveries, from a batch of messages.

use crate::support::{chatbot::ChatBot, delivery_worker::DeliveryWorker, receiver::Receiver, sqs::sqs_event};
use app::App;
use axum::http::Method;
use flow::{
    dead_letters::{DeadLetter, DeadLetters, SettingAside},
    deliver::lambda::take,
};
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Bundle, Lambda, TestHook, lambda::http_event};

const STACK: (&str, &str) = ("STACK_NAME", "switchboard-test");
const TRIGGER: &str = "chatbot.watch-message";
const FUNCTION: &str = "chatbot-watch-message";

/// The numbers of a line, which are those that it says it has.
fn counts(mut line: Value) -> Value {
    let members = line.as_object_mut().unwrap();
    let metadata = members.shift_remove("_aws").unwrap();
    assert_eq!(members.shift_remove("Stack"), Some(json!(STACK.1)));
    let stated = metadata["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().iter();
    let stated: Vec<&str> = stated.map(|metric| metric["Name"].as_str().unwrap()).collect();
    // The fields of the answer's line come after the numbers.
    assert!(members.keys().map(String::as_str).collect::<Vec<_>>().starts_with(&stated));
    members.retain(|name, _| stated.contains(&name.as_str()));
    line
}

/// Counts since the last call from the functions of one process, without the latency of webhooks.
fn counted(app: &App) -> Option<Value> {
    let mut counts = counts(serde_json::from_str(&app.metrics.line(app.now())?).unwrap());
    counts.as_object_mut().unwrap().shift_remove("Latency");
    Some(counts)
}

/// Metrics of a function, read after each invocation.
struct Watch {
    lambda: Lambda,
    seen: usize,
}

impl Watch {
    async fn start(chatbot: &ChatBot, settings: &[(&str, &str)]) -> Self {
        Self { lambda: Lambda::start(FUNCTION, &chatbot.bundle, settings).await, seen: 0 }
    }

    async fn invoke(&mut self, event: &Value, status: u16) {
        let answer = self.lambda.invoke(event).await.answer();
        assert_eq!(answer["statusCode"], status, "{event}: {answer}");
    }

    /// The lines of metrics since the last time.
    fn lines(&mut self) -> Vec<Value> {
        let mut lines = self.lambda.output();
        lines.retain(|line| line.get("_aws").is_some());
        lines.drain(..std::mem::replace(&mut self.seen, lines.len())).for_each(drop);
        lines
    }

    /// Counts of one invocation, without its latency.
    async fn counts(&mut self, event: &Value, status: u16) -> Value {
        self.invoke(event, status).await;
        let [line] = self.lines().try_into().unwrap();
        let mut counts = counts(line);
        let latency = counts.as_object_mut().unwrap().shift_remove("Latency").unwrap();
        assert!(latency[0].as_u64().unwrap() < 10_000 && latency[1].is_null(), "{latency}");
        counts
    }
}

fn post(chatbot: &ChatBot, hook: &TestHook, query: &str, body: &str) -> Value {
    let mut event = http_event("POST", hook.url.strip_prefix(&chatbot.bundle.url).unwrap(), body);
    event["rawQueryString"] = json!(query);
    event
}

fn message(id: &str) -> String {
    json!({ "chatId": "c-1", "messageId": id, "userId": "u-1", "attributes": {} }).to_string()
}

#[tokio::test]
async fn a_webhook_counts_as_what_becomes_of_it() {
    let chatbot = ChatBot::start().await;
    let hook = chatbot.bundle.hook_on(&chatbot.connection, TRIGGER, json!({})).await;
    let disabled = chatbot.bundle.hook_on(&chatbot.connection, TRIGGER, json!({})).await;
    chatbot.bundle.patch(&format!("/v1/hooks/{}", disabled.id), &json!({ "enabled": false }), 200).await;
    let mut watch = Watch::start(&chatbot, &[STACK, ("LOG_FORMAT", "json")]).await;

    let event = post(&chatbot, &hook, "", &message("m-1"));
    assert_eq!(watch.counts(&event, 200).await, json!({ "Accepted": 1 }));
    assert_eq!(watch.counts(&event, 200).await, json!({ "Duplicate": 1 }));
    let unknown = http_event("POST", "/hooks/chatbot/message/nobody", &message("m-2"));
    let mut unreadable = event.clone();
    unreadable["headers"]["x-name"] = json!("\u{0}");
    for (event, status) in [
        (unknown, 404),
        (post(&chatbot, &hook, "", "{"), 400),
        (post(&chatbot, &hook, "", &"x".repeat(256 * 1024 + 1)), 413),
        (post(&chatbot, &hook, "token=wrong", &message("m-2")), 401),
        (unreadable, 400),
        (post(&chatbot, &disabled, "", &message("m-2")), 200),
    ] {
        assert_eq!(watch.counts(&event, status).await, json!({ "Rejected": 1 }), "{status}");
    }

    watch.lambda.invoke(&json!({})).await.problem("not_invocable");
    assert_eq!(watch.lines(), [Value::Null; 0], "it was no call of a webhook");
    let output = watch.lambda.output();
    assert!(output.iter().any(|line| line["message"] == "answered"), "the log is there, too: {output:?}");
}

#[tokio::test]
async fn a_line_comes_whatever_is_logged_and_not_without_a_stack() {
    let chatbot = ChatBot::start().await;
    let hook = chatbot.bundle.hook_on(&chatbot.connection, TRIGGER, json!({})).await;
    for (settings, lines, is_answer) in [
        (&[STACK, ("LOG_FORMAT", "json")][..], 1, true),
        (&[STACK, ("LOG_FORMAT", "json"), ("RUST_LOG", "off")], 1, false),
        (&[STACK, ("LOG_FORMAT", "pretty")], 1, false),
        (&[("STACK_NAME", ""), ("LOG_FORMAT", "json"), ("RUST_LOG", "off")], 0, false),
        (&[("LOG_FORMAT", "pretty")], 0, false),
    ] {
        let mut watch = Watch::start(&chatbot, settings).await;
        watch.invoke(&post(&chatbot, &hook, "", &message("m-1")), 200).await;
        let output = watch.lambda.output();
        assert_eq!((watch.lines().len(), output.len()), (lines, lines), "{settings:?}");
        let answers = output.iter().filter(|line| line["message"] == "answered" && line["outcome"] == "accepted");
        assert_eq!(answers.count(), usize::from(is_answer), "{settings:?}: {output:?}");
    }
}

struct NoLetters;

impl DeadLetters for NoLetters {
    fn set_aside(&self, letter: DeadLetter) -> SettingAside<'_> {
        panic!("{letter:?}")
    }
}

/// Hands over what was sent to the queue since, so many messages in one batch; what that has counted.
async fn deliver(worker: &DeliveryWorker<'_>, messages: usize) -> Option<Value> {
    let body = |id| serde_json::to_string(&worker.message(id)).unwrap();
    let sent: Vec<_> = worker.sent().iter().map(|(id, _)| ("m", body(id), "1")).collect();
    assert_eq!(sent.len(), messages);
    let event = serde_json::from_value(sqs_event(&sent)).unwrap();
    let response = take(&worker.harness.app, &NoLetters, &worker.deliverer, event).await;
    assert_eq!(serde_json::to_value(response).unwrap(), json!({ "batchItemFailures": [] }));
    counted(&worker.harness.app)
}

#[tokio::test]
async fn a_batch_counts_the_attempts_of_all_its_deliveries() {
    let bundle = Bundle::start_with(&[STACK, ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"), ("RETRY_SCHEDULE", "5")]).await;
    bundle.clock.hold();
    let worker = DeliveryWorker::of(&bundle).await;
    let (failing, url) = Receiver::start().await;
    failing.says(500, "");
    worker.route(json!({})).await;
    let route = worker.route(json!({ "target": { "type": "webhook", "url": url } })).await;

    worker.event().await;
    assert_eq!(counted(&worker.harness.app), Some(json!({ "Accepted": 1 })), "as dispatching counts nothing");
    let at_once = json!({ "Delivered": 1, "Failed": 1, "DeliveryLatency": [0] });
    assert_eq!(deliver(&worker, 2).await, Some(at_once));
    bundle.clock.advance(Duration::from_secs(10));
    worker.event().await;
    counted(&worker.harness.app);
    let later = json!({ "Delivered": 1, "Failed": 2, "Dead": 1, "DeliveryLatency": [0] });
    assert_eq!(deliver(&worker, 3).await, Some(later));

    worker.harness.answer(Method::DELETE, &format!("/v1/routes/{route}"), "").await;
    bundle.clock.advance(Duration::from_secs(10));
    assert_eq!(deliver(&worker, 1).await, None, "it is skipped");
}
