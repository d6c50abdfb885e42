//! The memory that a batch of large events takes.

use crate::support::harness::{Harness, items};
use serde_json::json;
use std::{fs, process::Command};
use tests::Bundle;

/// A stream's batch of 6 MB has no more events of 256 KB.
const EVENTS: usize = 24;
/// Half of what `dispatch` has. Ours holds the database besides.
const MAX_MEMORY: f64 = 256.0;
const KIND: &str = "SWITCHBOARD_TEST_KIND";

/// A line of `/proc/self/status`, in MB.
fn status(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Dispatches batches whose bodies take many times their size once they are read, each in a process of its own.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_batch_of_large_bodies_takes_less_than_256_megabytes() {
    if let Ok(kind) = std::env::var(KIND) {
        batch(&kind).await;
        return println!("\npeak {:.1}", status("VmHWM"));
    }
    let name = format!(
        "{}::a_batch_of_large_bodies_takes_less_than_256_megabytes",
        module_path!().split_once("::").unwrap().1
    );
    for kind in ["many people", "one person", "nobody"] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", &name, "--nocapture"]).env(KIND, kind);
        let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
        let peak = output.lines().find_map(|line| line.strip_prefix("peak ")?.parse::<f64>().ok());
        println!("{kind}: {peak:?} MB");
        assert!(peak.is_some_and(|peak| peak < MAX_MEMORY), "{kind}: {output}");
    }
}

async fn batch(kind: &str) {
    let bundle = Bundle::start_with(&[("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8")]).await;
    let harness = Harness::beside(&bundle);
    let hook = bundle.hook("botstar.watch-tag").await;
    let target = json!({ "type": "webhook", "url": "http://127.0.0.1:9/" });
    let route = json!({ "name": "All", "events": ["botstar.*"], "filter": "data.tag == 'vip'", "target": target });
    bundle.post("/v1/routes", &route, 201).await;
    let list = vec![r#"{"a":{"b":{}}}"#; 17_000].join(",");
    for at in 0..EVENTS {
        let user = match kind {
            "one person" => json!({ "id": "u-1" }),
            "nobody" => json!({}),
            _ => json!({ "id": format!("u-{at}") }),
        };
        let raw = format!(r#"{{"user":{user},"tag":"vip","n":{at},"l":[{list}]}}"#);
        assert_eq!(harness.send(&hook, raw).await.status, 200);
    }
    let records = harness.stream(EVENTS).await;
    harness.handle(&records).await;
    assert_eq!(items(&harness.app, &harness.app.config.tables.deliveries).await.len(), EVENTS);
}
