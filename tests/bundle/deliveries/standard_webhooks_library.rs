//! Deliveries verified in Python by the official library of Standard Webhooks.

use crate::support::target::{ALLOW, route_to};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;
use tests::{Bundle, Process, TestHook, eventually, expect, string};

const EVENTS: usize = 10;
/// Number of forgeries that the receiver derives from each request, for each secret.
const FORGERIES: usize = 5;

/// The receiver, as a process.
struct Receiver {
    _process: Process,
    _folder: TempDir,
    url: String,
}

impl Receiver {
    fn start() -> Self {
        let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let python = tests.join("../.venv-test/bin/python3");
        assert!(python.is_file(), "{} is missing: run `make test`, which makes it first", python.display());
        let (folder, script) = (TempDir::new().unwrap(), tests.join("receiver.py"));
        let mut process = Process::spawn_with(&python, &[script.as_os_str()], folder.path(), &[]);
        let url = process.listening();
        Self { _process: process, _folder: folder, url }
    }

    /// Sets the secrets that verify a route's calls.
    async fn expect_secrets(&self, bundle: &Bundle, name: &str, secrets: &[String]) {
        let url = format!("{}/{name}", self.url);
        expect(bundle.http.request(Method::PUT, url).json(&secrets), 204).await;
    }

    async fn counts(&self, bundle: &Bundle, name: &str) -> Value {
        expect(bundle.http.get(&self.url), 200).await[format!("/{name}")].clone()
    }
}

fn secret(route: &Value) -> String {
    string(&route["target"]["secret"])
}

async fn post_events(bundle: &Bundle, hook: &TestHook, text: &str) {
    for number in 0..EVENTS {
        let body = json!({ "user": { "id": "u-1", "name": "Zoë ☕" }, "tag": format!("{text} {number}") });
        bundle.accept(hook, &body).await;
    }
}

/// Waits until so many calls have come; each was taken, and each that was forged of it was not.
async fn assert_verified(bundle: &Bundle, receiver: &Receiver, name: &str, calls: usize, forgeries: usize) {
    let expected = json!({ "genuine": calls, "refused": 0, "forgeries_refused": forgeries, "forgeries_taken": 0 });
    let reported = eventually(|| async {
        let reported = receiver.counts(bundle, name).await;
        let came = reported["genuine"].as_u64().unwrap_or_default() + reported["refused"].as_u64().unwrap_or_default();
        (came == calls as u64).then_some(reported)
    })
    .await;
    assert_eq!(reported, expected, "{name}");
}

#[tokio::test]
async fn the_official_library_takes_what_is_delivered_and_nothing_forged() {
    let receiver = Receiver::start();
    let bundle = Bundle::start_with(&[ALLOW, ("RETRY_SCHEDULE", "3600")]).await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let whole = route_to(&bundle, "botstar.*", &format!("{}/whole", receiver.url)).await;
    let shaped = json!({ "name": "Shaped", "events": ["botstar.*"], "target": { "type": "webhook",
        "url": format!("{}/shaped", receiver.url), "body": { "text": "'New tag: ' + data.tag", "who": "data.subscriber.name" } } });
    let shaped = bundle.post("/v1/routes", &shaped, 201).await;
    let unknown = route_to(&bundle, "botstar.*", &format!("{}/unknown", receiver.url)).await;
    receiver.expect_secrets(&bundle, "whole", &[secret(&whole)]).await;
    receiver.expect_secrets(&bundle, "shaped", &[secret(&shaped)]).await;
    receiver.expect_secrets(&bundle, "unknown", &[secret(&whole)]).await;

    post_events(&bundle, &hook, "first").await;
    assert_verified(&bundle, &receiver, "whole", EVENTS, EVENTS * FORGERIES).await;
    assert_verified(&bundle, &receiver, "shaped", EVENTS, EVENTS * FORGERIES).await;
    let refused = eventually(|| async {
        Some(receiver.counts(&bundle, "unknown").await).filter(|reported| reported["refused"] == EVENTS)
    })
    .await;
    assert_eq!((&refused["genuine"], &refused["forgeries_taken"]), (&json!(0), &json!(0)), "another route's secret");
    bundle.delete(&format!("/v1/routes/{}", string(&unknown["id"])), 204).await;

    // For a day both secrets sign.
    let rotated = bundle.post(&format!("/v1/routes/{}/rotate", string(&whole["id"])), &json!({}), 200).await;
    assert_ne!(secret(&rotated), secret(&whole));
    receiver.expect_secrets(&bundle, "whole", &[secret(&whole), secret(&rotated)]).await;
    post_events(&bundle, &hook, "second").await;
    assert_verified(&bundle, &receiver, "whole", 2 * EVENTS, 3 * EVENTS * FORGERIES).await;
    assert_verified(&bundle, &receiver, "shaped", 2 * EVENTS, 2 * EVENTS * FORGERIES).await;
}
