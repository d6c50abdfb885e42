//! A database that the tree of 2026-11-23 made, with bodies that this one refuses: it loads, lists and erases. What is in it
//! is synthetic.

use flate2::read::GzDecoder;
use local::{Local, Options};
use models::clock::SystemClock;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, io, sync::Arc};
use tests::{ADMIN_KEY, Api, answer, eventually, string};
use web::settings::Settings;

const SEALING_KEY: &[u8] = include_bytes!("../../fixtures/database-of-2026-11-23/sealing-key");
const DATABASE: &[u8] = include_bytes!("../../fixtures/database-of-2026-11-23/switchboard.db.gz");

fn ids(items: &[Value]) -> BTreeSet<&str> {
    items.iter().filter_map(|item| item["platform_id"].as_str()).collect()
}

#[tokio::test]
async fn a_database_of_the_tree_before_loads_lists_and_erases() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sealing-key"), SEALING_KEY).unwrap();
    fs::set_permissions(folder.path().join("sealing-key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let mut database = fs::File::create(folder.path().join("switchboard.db")).unwrap();
    io::copy(&mut GzDecoder::new(DATABASE), &mut database).unwrap();
    let settings: Settings =
        [("PORT", "0"), ("DATA_DIR", folder.path().to_str().unwrap()), ("ADMIN_KEY", ADMIN_KEY)].into_iter().collect();
    let local = Local::start(Options::read(settings).unwrap(), Arc::new(SystemClock)).await.unwrap();
    let api = Api::new(&local.url, ADMIN_KEY);

    // Just after the start, a subscriber may be missing from the list for a moment.
    let before = BTreeSet::from(["\u{fffd}", "42.0", "ava", "ben", "deep", "p1"]);
    eventually(|| async { (ids(&api.all("/v1/subscribers").await) == before).then_some(()) }).await;
    let hooks = api.all("/v1/hooks").await;
    let scopes: BTreeSet<String> = api.all("/v1/keys").await.iter().map(|key| string(&key["scope"])).collect();
    assert_eq!(scopes, ["act", "admin", "read"].map(str::to_owned).into());
    let events = api.all("/v1/events").await;
    assert!(events.len() > 10 && events.iter().all(|event| event["data"].is_object()), "{events:?}");
    for event in events.iter().filter(|event| event["type"].as_str().is_some_and(|name| name.starts_with("botstar."))) {
        let path = format!("/v1/events/{}", string(&event["id"]));
        let erased = event["data"]["raw"].is_null() && event["data"]["truncated"] == false;
        let raw = api.request(reqwest::Method::GET, &format!("{path}/raw")).send().await.unwrap();
        assert_eq!(raw.status(), if erased { 404 } else { 200 }, "{event}");
        api.post(&format!("{path}/redispatch"), &json!({}), 200).await;
    }
    assert_eq!(events.iter().filter(|event| event["data"]["truncated"] == true).count(), 1);
    assert_eq!(api.all("/v1/checkpoint-records").await.len(), 3);
    assert_eq!(api.all("/v1/takeovers").await[0]["state"], "claimed");
    assert_eq!(api.all("/v1/deliveries").await.len(), 11);
    for hook in &hooks {
        let path = format!("/v1/hooks/{}", string(&hook["id"]));
        assert_eq!(hook["settings"]["keep_query"], Value::Null);
        api.get(&format!("{path}/rejected"), 200).await;
        api.post(&format!("{path}/remap"), &json!({}), 200).await;
        api.send(&string(&hook["url"]), r#"{"user":{"id":"new"},"tag":"t"}"#).await;
    }
    // Read again, an id out of lossy decoding is nobody's, and 42.0 is 42.
    let now = BTreeSet::from(["42", "ava", "ben", "deep", "new", "p1"]);
    eventually(|| async { (ids(&api.all("/v1/subscribers").await) == now).then_some(()) }).await;
    for person in api.all("/v1/subscribers").await {
        let path = format!("/v1/subscribers/{}", string(&person["id"]));
        assert_eq!(answer(api.request(reqwest::Method::DELETE, &path)).await.status, 204, "{person}");
    }
    assert_eq!(api.all("/v1/subscribers").await, [Value::Null; 0]);
    local.stop().await.unwrap();
}
