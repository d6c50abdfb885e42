//! The conformance suite of targets: every kind of target in every case. The outcomes are the table of docs/routes.md.

use crate::support::{
    aws_services::{self, BUS, FIFO_QUEUE, FIFO_TOPIC, FUNCTION, Play, QUEUE, STATE_MACHINE, Sent, Services, TOPIC},
    delivery_worker::DeliveryWorker,
    in_process::InProcess,
};
use flow::deliver::Deliverer;
use futures::future::join_all;
use models::{DeliveryId, DeliveryState};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, time::Duration};
use tests::{Bundle, string};

/// The kinds of targets, each with its ARN if it is an AWS target.
const KINDS: [(&str, Option<&str>); 9] = [
    ("webhook", None),
    ("action", None),
    ("event bus", Some(BUS)),
    ("queue", Some(QUEUE)),
    ("FIFO queue", Some(FIFO_QUEUE)),
    ("topic", Some(TOPIC)),
    ("FIFO topic", Some(FIFO_TOPIC)),
    ("state machine", Some(STATE_MACHINE)),
    ("function", Some(FUNCTION)),
];

/// The cases that the target's answer decides.
const ANSWERS: [(&str, Play); 6] = [
    ("taken", Play::Taken),
    ("throttled", Play::Throttled),
    ("refused for its content", Play::Refused),
    ("not allowed", Play::Forbidden),
    ("gone", Play::Gone),
    ("no answer in time", Play::Silent),
];

/// Text of an event's body. Eight of it make a field of an object that has 1 MB, which is the most that expressions give.
const TEXT_BYTES: usize = 131_071;

struct Suite<'b> {
    worker: DeliveryWorker<'b>,
    actions: InProcess,
    services: &'b Services,
    /// Kinds by the id of their route.
    kinds: BTreeMap<String, &'static str>,
}

impl<'b> Suite<'b> {
    /// A route to a target of each kind, with the event as it is, or with more than the target takes.
    async fn on(bundle: &'b Bundle, services: &'b Services, is_large: bool) -> Self {
        let mut worker = DeliveryWorker::of(bundle).await;
        let actions = InProcess::of(bundle);
        worker.deliverer = Deliverer::new(&worker.harness.app, Box::new(actions.clone())).unwrap();
        let connection = bundle.connection("chatbot").await;
        let mut kinds = BTreeMap::new();
        for (kind, arn) in KINDS {
            let mut target = match (kind, arn) {
                (_, Some(arn)) => json!({ "type": "aws", "arn": arn }),
                ("webhook", _) => json!({ "type": "webhook", "url": format!("{}/webhook", services.url) }),
                _ => {
                    let input = json!({ "path": "'/x'", "method": "'PUT'" });
                    json!({ "type": "action", "action": "chatbot.call-api", "connection": connection, "input": input })
                }
            };
            if arn.is_some_and(|arn| arn.ends_with(".fifo")) {
                target["group"] = json!("data.subscriber.id");
            }
            if is_large {
                let texts = |count| vec!["data.raw.text"; count].join(" + ");
                match kind {
                    "webhook" => target["body"] = json!({ "a": texts(9) }),
                    "action" => target["input"]["body"] = texts(9).into(),
                    _ => target["input"] = json!({ "a": texts(8) }),
                }
            }
            kinds.insert(worker.route(json!({ "target": target })).await, kind);
        }
        Self { worker, actions, services, kinds }
    }

    /// A new event; its deliveries.
    async fn deliveries(&self) -> Vec<DeliveryId> {
        let body = json!({ "user": { "id": "u-1" }, "tag": "vip", "text": "x".repeat(TEXT_BYTES) });
        self.worker.harness.accept(&self.worker.hook, &body).await;
        self.worker.dispatch().await;
        let deliveries: Vec<_> = self.worker.sent().into_iter().map(|(delivery, _)| delivery).collect();
        assert_eq!(deliveries.len(), KINDS.len());
        deliveries
    }

    /// Attempts deliveries, all at once.
    async fn attempt(&self, deliveries: &[DeliveryId]) {
        join_all(deliveries.iter().map(|delivery| self.worker.deliver(delivery))).await;
    }

    /// The outcome of each delivery in the words of the documentation, by kind.
    async fn outcomes(&self, deliveries: &[DeliveryId]) -> BTreeMap<&'static str, String> {
        let mut outcomes = BTreeMap::new();
        for delivery in deliveries {
            let delivery = self.worker.delivery(delivery).await;
            assert_eq!(delivery.attempts.len(), 1, "{delivery:?}");
            let outcome = match (delivery.state, delivery.reason) {
                (DeliveryState::Succeeded, None) => "succeeded".to_owned(),
                (DeliveryState::Pending, None) => "retried".to_owned(),
                (DeliveryState::Dead | DeliveryState::Skipped, Some(reason)) => format!("`{}`", reason.as_str()),
                _ => panic!("{delivery:?}"),
            };
            outcomes.insert(self.kinds[delivery.route.as_str()], outcome);
        }
        outcomes
    }

    /// The identification by which each target recognises a repeated call, by kind.
    fn identifications(&self) -> BTreeMap<&'static str, (&'static str, String)> {
        let key = self
            .actions
            .inputs()
            .into_iter()
            .map(|input| ("action", "idempotency key", input["idempotency_key"].clone()));
        let sent = self
            .services
            .sent()
            .into_iter()
            .filter(|sent| !["DescribeEventBus", ""].contains(&&*sent.operation) || sent.service == "webhook");
        let found = sent.map(|sent| identification(&sent)).chain(key);
        found.map(|(kind, name, value)| (kind, (name, string(&value)))).collect()
    }
}

/// Kind of a target, and the identification in a request to it.
fn identification(sent: &Sent) -> (&'static str, &'static str, Value) {
    let event = |text: &Value| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap()["id"].clone();
    let body = &sent.body;
    let is_fifo = !body["MessageGroupId"].is_null();
    match sent.service.as_str() {
        "webhook" => ("webhook", "`webhook-id`", sent.headers["webhook-id"].to_str().unwrap().into()),
        "events" => ("event bus", "`detail.id`", event(&body["Entries"][0]["Detail"])),
        "sqs" if is_fifo => ("FIFO queue", "deduplication id", body["MessageDeduplicationId"].clone()),
        "sqs" => ("queue", "attribute `id`", body["MessageAttributes"]["id"]["StringValue"].clone()),
        "sns" if is_fifo => ("FIFO topic", "deduplication id", body["MessageDeduplicationId"].clone()),
        "sns" => ("topic", "attribute `id`", body["MessageAttributes.entry.2.Value.StringValue"].clone()),
        "states" => ("state machine", "execution's name", body["name"].clone()),
        "lambda" => ("function", "event's `id`", body["id"].clone()),
        other => panic!("{other}"),
    }
}

/// A column of the table: the case, and a cell for each kind.
type Column = (&'static str, BTreeMap<&'static str, String>);

async fn answered((case, play): (&'static str, Play)) -> Column {
    let services = Services::start().await;
    let bundle = services.bundle(&aws_services::ALL).await;
    let suite = Suite::on(&bundle, &services, false).await;
    services.play(play);
    let deliveries = suite.deliveries().await;
    suite.attempt(&deliveries).await;
    (case, suite.outcomes(&deliveries).await)
}

/// No request is sent but to the function, whose service alone knows its limit.
async fn too_large() -> Column {
    let services = Services::start().await;
    let bundle = services.bundle(&aws_services::ALL).await;
    let suite = Suite::on(&bundle, &services, true).await;
    services.play(Play::TooLarge);
    let deliveries = suite.deliveries().await;
    suite.attempt(&deliveries).await;
    let sent: Vec<_> = services.sent().into_iter().map(|sent| sent.operation).collect();
    assert_eq!(sent, ["Invoke"]);
    for delivery in &deliveries {
        let delivery = suite.worker.delivery(delivery).await;
        let error = delivery.attempts[0].error.clone().unwrap_or_default();
        assert!(error.contains(" bytes"), "{}: {error}", suite.kinds[delivery.route.as_str()]);
    }
    ("larger than the target takes", suite.outcomes(&deliveries).await)
}

/// The first answer is an error of the server, though the call may have been carried out. The second call has the same
/// identification, and a retry by hand has the same or another.
async fn sent_twice() -> Column {
    let services = Services::start().await;
    let bundle = services.bundle(&aws_services::ALL).await;
    let suite = Suite::on(&bundle, &services, false).await;
    services.play(Play::Down);
    let deliveries = suite.deliveries().await;
    suite.attempt(&deliveries).await;
    assert!(suite.outcomes(&deliveries).await.values().all(|outcome| outcome == "retried"));
    let first = suite.identifications();
    assert_eq!(first.len(), KINDS.len());
    services.play(Play::Repeated);
    bundle.clock.advance(Duration::from_secs(10));
    suite.attempt(&deliveries).await;
    assert_eq!(suite.identifications(), first);
    for delivery in &deliveries {
        let delivery = suite.worker.delivery(delivery).await;
        assert_eq!(delivery.state, DeliveryState::Succeeded, "{delivery:?}");
    }
    ("sent twice with the same", first.into_iter().map(|(kind, (name, _))| (kind, name.to_owned())).collect())
}

/// The table of the documentation.
fn documented() -> String {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/routes.md")).unwrap();
    let lines = docs.lines().skip_while(|line| !line.starts_with("| target |"));
    lines.take_while(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_target_conforms_to_the_table_of_the_documentation() {
    let (answered, too_large, twice) = tokio::join!(join_all(ANSWERS.map(answered)), too_large(), sent_twice());
    let columns: Vec<Column> = answered.into_iter().chain([too_large, twice]).collect();
    let row = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut table = row(["target"].into_iter().chain(columns.iter().map(|(case, _)| *case)).collect());
    table += &row(vec!["---"; columns.len() + 1]);
    for (kind, _) in KINDS {
        table += &row([kind].into_iter().chain(columns.iter().map(|(_, cells)| cells[kind].as_str())).collect());
    }
    assert_eq!(documented(), table, "docs/routes.md should have this table:\n{table}");
}
