//! Connections that are refused, kept, or held up, and deletions whose answer was lost.

use super::{
    Outcome, SCHEDULE, WAIT, assert_outcome, bundle, bundle_with, deliver_all, deliverer, deliveries,
    server::{Server, is_whole},
    stored_route, table, target, worker,
};
use crate::support::delivery_worker::DeliveryWorker;
use models::{DeliveryState, delivery::Reason};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tests::{Sandbox, eventually, sandbox::FaultKind};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// A port at which nothing listens, and one at which nobody speaks TLS.
#[tokio::test]
async fn everything_is_repeated_if_no_connection_was_made() {
    let (_server, plain) = Server::start().await;
    let row = table().into_iter().find(|(row, _)| row == "no connection, or TLS fails").unwrap();
    assert_eq!(row.1, [Outcome::Retried(SCHEDULE); 4]);
    for url in ["http://127.0.0.1:9".to_owned(), plain.replace("http://", "https://")] {
        let bundle = bundle(&url).await;
        let (worker, lanes) = worker(&bundle, &url).await;
        let deliveries = deliveries(&worker, "204").await;
        assert_eq!(deliveries.len(), lanes.len());
        deliver_all(&worker, &deliveries).await;
        for delivery in &deliveries {
            let lane = lanes[stored_route(&worker, delivery).as_str()];
            assert_outcome(&worker, delivery, Outcome::Retried(SCHEDULE), &format!("{url} to {lane}")).await;
        }
    }
}

#[tokio::test]
async fn a_deletion_that_was_lost_and_finds_nothing_when_repeated_has_succeeded() {
    for (answer, attempts) in [("lost-then-404", 2), ("lost-then-429-then-404", 3)] {
        for lane in ["chatbot.delete-story", "call DELETE"] {
            let (_server, url) = Server::start().await;
            let bundle = bundle_with(("CHATBOT_API_URL", &url), "5,60").await;
            let mut worker = DeliveryWorker::of(&bundle).await;
            worker.deliverer = deliverer(&worker);
            let connection = bundle.connection("chatbot").await;
            worker.route(json!({ "target": target(lane, &connection, &url) })).await;
            let [delivery] = deliveries(&worker, answer).await.try_into().unwrap();
            for _ in 0..attempts {
                worker.deliver(&delivery).await;
                bundle.clock.advance(Duration::from_secs(3_600));
            }
            worker.sent();
            worker.assert_ended(&delivery, DeliveryState::Succeeded, None, attempts).await;
        }
    }
}

/// A platform that keeps each connection open after an answer, and closes it unread when something else comes.
async fn fickle() -> (Arc<AtomicUsize>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let (mut request, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
                while !is_whole(&request) {
                    let count = stream.read(&mut buffer).await.unwrap();
                    request.extend_from_slice(&buffer[..count]);
                }
                let body = r#"{"id":"u-1"}"#;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all((head + body).as_bytes()).await.unwrap();
                stream.readable().await.unwrap();
            });
        }
    });
    (connections, url)
}

#[tokio::test]
async fn a_call_that_changes_something_never_goes_over_a_kept_connection() {
    for (lane, answer) in [
        ("chatbot.create-user", "a"),
        ("chatbot.update-user", "b"),
        ("call POST", "c"),
        ("call PATCH", "d"),
        ("call PUT", "e"),
        ("call DELETE", "f"),
        ("chatbot.get-user", "g"),
    ] {
        let (connections, url) = fickle().await;
        let bundle = bundle(&url).await;
        let mut worker = DeliveryWorker::of(&bundle).await;
        worker.deliverer = deliverer(&worker);
        let connection = bundle.connection("chatbot").await;
        worker.route(json!({ "target": target(lane, &connection, &url) })).await;
        for number in 1..=3 {
            let [delivery] = deliveries(&worker, &format!("{answer}{number}")).await.try_into().unwrap();
            worker.deliver(&delivery).await;
            worker.assert_ended(&delivery, DeliveryState::Succeeded, None, 1).await;
        }
        assert_eq!(connections.load(Ordering::SeqCst), 3, "{lane}");
    }
}

/// Two events of one person at once: the first registers it, and takes longer than the second waits.
#[tokio::test]
async fn an_action_whose_lease_is_not_freed_in_time_is_retried() {
    let sandbox = Sandbox::start(0).await.unwrap();
    let bundle = bundle_with(("BOTDISTRIKT_API_URL", &sandbox.botdistrikt_url()), &SCHEDULE.to_string()).await;
    let mut worker = DeliveryWorker::of(&bundle).await;
    worker.deliverer = deliverer(&worker);
    let connection = bundle.connection("botdistrikt").await;
    let input = json!({ "webchat_id": "data.subscriber.platform_id" });
    let action =
        json!({ "type": "action", "action": "botdistrikt.register-user", "connection": connection, "input": input });
    worker.route(json!({ "target": action })).await;
    sandbox.fault(FaultKind::HangBefore);
    let [first] = deliveries(&worker, "one").await.try_into().unwrap();
    worker.harness.accept(&worker.hook, &json!({ "user": { "id": "row_one_" }, "tag": "more" })).await;
    worker.dispatch().await;
    let (second, _) = worker.one_sent();
    let both = async {
        tokio::join!(worker.deliver(&first), async {
            eventually(|| async { (!sandbox.requests().is_empty()).then_some(()) }).await;
            worker.deliver(&second).await;
            // The clock stands still, so the 10 s that it waited are added to the second that it is to wait.
            assert_outcome(&worker, &second, Outcome::Retried(11), "the second").await;
        });
    };
    both.await;
    bundle.clock.advance(Duration::from_secs(2 * WAIT));
    worker.deliver(&second).await;
    assert_eq!(worker.delivery(&second).await.state, DeliveryState::Succeeded);
}

#[tokio::test]
async fn the_status_of_a_refusal_counts_however_its_body_ends() {
    let (_server, url) = Server::start().await;
    let bundle = bundle(&url).await;
    let mut worker = DeliveryWorker::of(&bundle).await;
    worker.deliverer = deliverer(&worker);
    let connection = bundle.connection("chatbot").await;
    for lane in ["chatbot.create-user", "chatbot.update-user", "chatbot.get-user"] {
        worker.route(json!({ "target": target(lane, &connection, &url) })).await;
    }
    let refused = Outcome::Ended(DeliveryState::Dead, Some(Reason::ActionRefused));
    for (answer, outcome) in [
        ("broken-400", refused),
        ("stalled-400", refused),
        ("huge-400", refused),
        ("broken-429", Outcome::Retried(WAIT)),
    ] {
        let deliveries = deliveries(&worker, answer).await;
        deliver_all(&worker, &deliveries).await;
        for delivery in &deliveries {
            assert_outcome(&worker, delivery, outcome, answer).await;
        }
    }
}

/// A platform and a receiver that answer after a second.
#[tokio::test]
async fn a_retry_after_counts_from_the_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut request, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
                while !is_whole(&request) {
                    let count = stream.read(&mut buffer).await.unwrap();
                    request.extend_from_slice(&buffer[..count]);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                let answer = b"HTTP/1.1 503 X\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            });
        }
    });
    let bundle = bundle(&url).await;
    let (worker, lanes) = worker(&bundle, &url).await;
    let deliveries = deliveries(&worker, "any").await;
    assert_eq!(deliveries.len(), lanes.len());
    deliver_all(&worker, &deliveries).await;
    for delivery in &deliveries {
        // Its clock stands still, so that what the answer took is added to the wait.
        assert_outcome(&worker, delivery, Outcome::Retried(WAIT + 1), "after a second").await;
    }
}
