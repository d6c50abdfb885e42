//! The retry policy: every status from 400 to 599 and every way a connection can break, over actions that read, that can
//! be repeated and that can't, and over webhooks. The expected outcomes are the table of docs/routes.md itself.

mod connections;
mod server;

use crate::support::{delivery_worker::DeliveryWorker, in_process::InProcess, target::ALLOW};
use flow::deliver::Deliverer;
use futures::{StreamExt as _, stream};
use models::{DeliveryId, DeliveryState, delivery::Reason};
use serde_json::{Value, json};
use server::Server;
use std::{collections::HashMap, fs, time::Duration};
use tests::Bundle;

/// The columns of the table, each with the routes that it holds for.
const LANES: [(&str, &[&str]); 4] = [
    ("action that reads", &["chatbot.get-user", "call GET"]),
    ("action that can be repeated", &["chatbot.update-user", "chatbot.delete-story", "call PUT"]),
    ("any other action", &["chatbot.create-user", "call POST"]),
    ("webhook", &["webhook"]),
];

fn target(lane: &str, connection: &str, url: &str) -> Value {
    let id = "data.subscriber.platform_id";
    let (action, input) = match lane {
        "webhook" => return json!({ "type": "webhook", "url": url }),
        "chatbot.create-user" => (lane, json!({ "custom_user_id": id, "city": "'Oslo'" })),
        "chatbot.update-user" => (lane, json!({ "user_id": id, "city": "'Oslo'" })),
        "chatbot.delete-story" => (lane, json!({ "story_id": id })),
        "chatbot.get-user" => (lane, json!({ "user_id": id })),
        call => {
            let method = call.trim_start_matches("call ");
            ("chatbot.call-api", json!({ "path": format!("'x/' + {id}"), "method": format!("'{method}'") }))
        }
    };
    json!({ "type": "action", "action": action, "connection": connection, "input": input })
}

/// The wait that `Retry-After` asks for in rows that have one: longer than the schedule's.
const WAIT: u64 = 90;
const SCHEDULE: u64 = 5;

/// The answers that a row of the table is about.
fn answers(row: &str) -> Vec<String> {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    match row {
        "300–399 (redirects are not followed)" => {
            texts(&["300", "301", "302", "303", "304", "305", "306", "307", "308", "310", "399"])
        }
        "400–499, but these:" => (400..=499_u16)
            .filter(|status| ![408, 410, 421, 425, 429].contains(status))
            .map(|status| status.to_string())
            .collect(),
        "408, 421, 425" => texts(&["408", "421", "425"]),
        "410" | "429" => texts(&[row]),
        "429 with `Retry-After`" => texts(&["429-90"]),
        "500–599" => (500..=599_u16).map(|status| status.to_string()).collect(),
        "503 with `Retry-After`" => texts(&["503-90"]),
        "no connection, or TLS fails" => Vec::new(),
        "closed or reset without an answer" => texts(&["closed", "reset"]),
        "cut off in its headers, or not HTTP" => texts(&["cut-head", "not-http"]),
        "2xx, cut off in its body" => texts(&["cut-body"]),
        "2xx of more than 5 MB, or not the JSON that is expected" => texts(&["huge", "nonsense"]),
        "none in time" => texts(&["silent"]),
        other => panic!("docs/routes.md has a row that this test does not know: {other}"),
    }
}

/// The outcome of a first attempt: its wait if it is retried, else the end of its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Retried(u64),
    Ended(DeliveryState, Option<Reason>),
}

fn outcome(cell: &str) -> Outcome {
    match cell {
        "retried" => Outcome::Retried(SCHEDULE),
        "retried after 10 s" => Outcome::Retried(10),
        "retried after that" => Outcome::Retried(WAIT),
        "succeeded" => Outcome::Ended(DeliveryState::Succeeded, None),
        "`action_refused`" => Outcome::Ended(DeliveryState::Dead, Some(Reason::ActionRefused)),
        "`unknown_outcome`" => Outcome::Ended(DeliveryState::Dead, Some(Reason::UnknownOutcome)),
        "`target_gone`" => Outcome::Ended(DeliveryState::Skipped, Some(Reason::TargetGone)),
        other => panic!("docs/routes.md has an outcome that this test does not know: {other}"),
    }
}

/// The rows of the table: the answer, and an outcome for each lane.
fn table() -> Vec<(String, [Outcome; 4])> {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/routes.md")).unwrap();
    let lines = docs.lines().skip_while(|line| !line.starts_with("| answer |"));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut lines = lines.take_while(|line| line.starts_with('|')).map(cells);
    let lanes = lines.next().unwrap().split_off(1);
    assert_eq!(lanes, LANES.map(|(lane, _)| lane));
    let row = |mut cells: Vec<String>| {
        let outcomes: Vec<Outcome> = cells.split_off(1).iter().map(|cell| outcome(cell)).collect();
        (cells.remove(0), outcomes.try_into().unwrap())
    };
    lines.skip(1).map(row).collect()
}

/// A worker on which the platform and the webhooks are at this URL, with the routes of all lanes by their ids.
async fn worker<'b>(bundle: &'b Bundle, url: &str) -> (DeliveryWorker<'b>, HashMap<String, &'static str>) {
    let mut worker = DeliveryWorker::of(bundle).await;
    worker.deliverer = deliverer(&worker);
    let connection = bundle.connection("chatbot").await;
    let mut lanes = HashMap::new();
    for lane in LANES.iter().flat_map(|(_, lanes)| lanes.iter()) {
        lanes.insert(worker.route(json!({ "target": target(lane, &connection, url) })).await, *lane);
    }
    (worker, lanes)
}

/// With the failures that are counted for the breaker forgotten.
fn deliverer(worker: &DeliveryWorker<'_>) -> Deliverer {
    Deliverer::new(&worker.harness.app, Box::new(InProcess::of(worker.harness.bundle))).unwrap()
}

async fn bundle(url: &str) -> Bundle {
    bundle_with(("CHATBOT_API_URL", url), &SCHEDULE.to_string()).await
}

async fn bundle_with(platform: (&str, &str), schedule: &str) -> Bundle {
    let bundle = Bundle::start_with(&[ALLOW, ("RETRY_SCHEDULE", schedule), platform]).await;
    bundle.clock.hold();
    bundle
}

/// Accepts and dispatches an event that asks for this answer; its deliveries.
async fn deliveries(worker: &DeliveryWorker<'_>, answer: &str) -> Vec<DeliveryId> {
    let body = json!({ "user": { "id": format!("row_{answer}_") }, "tag": "vip" });
    worker.harness.accept(&worker.hook, &body).await;
    worker.dispatch().await;
    worker.sent().into_iter().map(|(delivery, _)| delivery).collect()
}

async fn deliver_all(worker: &DeliveryWorker<'_>, deliveries: impl IntoIterator<Item = &DeliveryId>) {
    const AT_ONCE: usize = 32;
    stream::iter(deliveries).for_each_concurrent(AT_ONCE, |delivery| worker.deliver(delivery)).await;
}

/// Asserts that an attempt has the outcome in the table.
async fn assert_outcome(worker: &DeliveryWorker<'_>, delivery: &DeliveryId, expected: Outcome, at: &str) {
    let delivery = worker.delivery(delivery).await;
    let wait = delivery.next_attempt_at.map(|next| next.millis_since(worker.harness.app.now()) / 1000);
    match expected {
        Outcome::Ended(state, reason) => {
            assert_eq!((delivery.state, delivery.reason), (state, reason), "{at}: {delivery:?}")
        }
        Outcome::Retried(least) => {
            assert_eq!(delivery.state, DeliveryState::Pending, "{at}: {delivery:?}");
            assert!(wait.is_some_and(|wait| (least..=least * 11 / 10).contains(&wait)), "{at}: {wait:?}");
        }
    }
    assert_eq!(delivery.attempts.len(), 1, "{at}");
}

fn lane_outcome(outcomes: &[Outcome; 4], lane: &str) -> Outcome {
    outcomes[LANES.iter().position(|(_, lanes)| lanes.contains(&lane)).unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_repeated_as_the_table_of_the_documentation_says() {
    let (server, url) = Server::start().await;
    let bundle = bundle(&url).await;
    let (mut worker, lanes) = worker(&bundle, &url).await;
    let mut expected = Vec::new();
    for (row, outcomes) in table() {
        for answer in answers(&row).into_iter().filter(|answer| answer != "410") {
            for delivery in deliveries(&worker, &answer).await {
                let lane = lanes[stored_route(&worker, &delivery).as_str()];
                // A call's answer need not be JSON.
                let outcome = match (answer.as_str(), lane.starts_with("call ")) {
                    ("nonsense", true) => Outcome::Ended(DeliveryState::Succeeded, None),
                    _ => lane_outcome(&outcomes, lane),
                };
                expected.push((delivery, answer.clone(), lane, outcome));
            }
        }
    }
    assert!(expected.len() > 8 * 200, "{}", expected.len());
    deliver_all(&worker, expected.iter().map(|(delivery, ..)| delivery)).await;
    for (delivery, answer, lane, outcome) in &expected {
        assert_outcome(&worker, delivery, *outcome, &format!("{answer} to {lane}")).await;
    }

    bundle.clock.advance(Duration::from_secs(2 * WAIT));
    worker.deliverer = deliverer(&worker);
    let again =
        expected.iter().filter(|(_, answer, _, outcome)| matches!(outcome, Outcome::Retried(_)) && answer != "silent");
    deliver_all(&worker, again.clone().map(|(delivery, ..)| delivery)).await;
    for (delivery, answer, lane, _) in again {
        let ended = worker.delivery(delivery).await;
        let end = (ended.state, ended.reason, ended.attempts.len());
        assert_eq!(end, (DeliveryState::Dead, Some(Reason::AttemptsUsedUp), 2), "{answer} to {lane}");
    }

    assert_eq!(server.asked("403"), lanes.len() + 1, "a refused action is asked for once");
    // Twice by each lane whose outcomes are retried, once by the others; reading actions ask three times each time.
    assert_eq!(server.asked("503"), 2 * 2 * 3 + 3 * 2 + 2 + 2, "503");
    assert_eq!(
        server.asked("503-90"),
        2 * lanes.len(),
        "no call is repeated within the time that the platform asks for"
    );
}

/// The webhook of the 410 is disabled, and takes nothing after that.
#[tokio::test]
async fn a_410_disables_a_webhook_and_refuses_an_action() {
    let (_server, url) = Server::start().await;
    let bundle = bundle(&url).await;
    let (worker, lanes) = worker(&bundle, &url).await;
    let outcomes = table().into_iter().find_map(|(row, outcomes)| (row == "410").then_some(outcomes)).unwrap();
    for delivery in deliveries(&worker, "410").await {
        worker.deliver(&delivery).await;
        let lane = lanes[stored_route(&worker, &delivery).as_str()];
        assert_outcome(&worker, &delivery, lane_outcome(&outcomes, lane), &format!("410 to {lane}")).await;
    }
}

fn stored_route(worker: &DeliveryWorker<'_>, delivery: &DeliveryId) -> String {
    worker.message(delivery).route.to_string()
}
