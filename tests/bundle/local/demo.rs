//! The demo, in this process and as `make demo` starts it.

use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;
use tests::{Api, Process, demo::Demo, eventually, string};

#[tokio::test]
async fn the_demo_lives() {
    let demo = Demo::start(0, Duration::from_millis(50)).await.unwrap();
    let api = Api::new(&demo.local.url, &demo.local.admin_key.secret);
    let events = api.all("/v1/events?view=summary").await;
    assert!(events.len() >= 30, "{}", events.len());
    for (list, least) in [
        ("/v1/deliveries?state=succeeded", 20),
        ("/v1/deliveries?state=pending", 1),
        ("/v1/deliveries?reason=unmappable", 1),
        ("/v1/takeovers?state=open", 1),
        ("/v1/takeovers?state=closed", 1),
        ("/v1/checkpoint-records", 5),
        ("/v1/subscribers?platform=botstar", 12),
        ("/v1/subscribers?platform=chatbot", 2),
        ("/v1/keys", 3),
    ] {
        eventually(|| async { (api.all(list).await.len() >= least).then_some(()) }).await;
    }
    let people = api.all("/v1/subscribers").await;
    assert!(people.iter().all(|person| person["name"].is_string() && person["email"].is_string()), "{people:?}");
    let has_failed = |delivery: &Value| {
        let mut attempts = delivery["attempts"].as_array().unwrap().iter();
        attempts.any(|attempt| attempt["status"] == 500 || attempt["status"] == 503)
    };
    eventually(|| async { api.all("/v1/deliveries").await.iter().any(has_failed).then_some(()) }).await;
    let mut rejected = 0;
    for hook in api.all("/v1/hooks").await {
        rejected += api.all(&format!("/v1/hooks/{}/rejected", string(&hook["id"]))).await.len();
    }
    assert!(rejected >= 1);
    let routes = api.all("/v1/routes").await;
    let to = |kind: &str| routes.iter().filter(|route| route["target"]["type"] == kind).count();
    assert_eq!((to("webhook"), to("action")), (2, 1));
    let actions = routes.iter().find(|route| route["target"]["type"] == "action").unwrap();
    let done = format!("/v1/deliveries?route={}&state=succeeded", string(&actions["id"]));
    eventually(|| async { (!api.all(&done).await.is_empty()).then_some(()) }).await;
    let count = events.len();
    eventually(|| async { (api.all("/v1/events?view=summary").await.len() > count + 5).then_some(()) }).await;

    // Its user may delete anything, and it lives on.
    let hook = &api.all("/v1/hooks").await[0];
    api.delete(&format!("/v1/hooks/{}?force=true", string(&hook["id"])), 204).await;
    let before = api.all("/v1/events?view=summary").await.len();
    eventually(|| async { (api.all("/v1/events?view=summary").await.len() > before + 15).then_some(()) }).await;
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn the_demo_ends_with_an_interrupt_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_demo"));
    // Settings of a real Switchboard have no effect.
    let data = folder.path().join("data");
    let settings = [("DEMO_PORT", "0"), ("DATA_DIR", data.to_str().unwrap()), ("ADMIN_KEY", "x"), ("PORT", "1")];
    let mut process = Process::spawn_binary(binary, folder.path(), &settings);
    let key = process.wait_for("an admin key for it: ").replace("an admin key for it: ", "");
    let url = process.wait_for("the console: ").replace("the console: ", "").replace("/console", "");
    let api = Api::new(&url, &key);
    assert_eq!(api.get("/v1/keys/current", 200).await["scope"], json!("admin"));
    process.signal("INT");
    let (status, said) = process.ended();
    assert!(status.success(), "{said}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    let (status, said) = Process::spawn_binary(binary, folder.path(), &[("DEMO_PORT", "x")]).ended();
    assert!(status.code() == Some(1) && said.starts_with("error: DEMO_PORT: must be"), "{said}");
}
