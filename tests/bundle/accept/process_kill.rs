//! Durability after a power cut: `local` is killed repeatedly under load.

use crate::support::load::{CONNECTIONS, Load, kill_at, posted};
use models::clock::random;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tempfile::TempDir;
use tests::{Api, Process, string};

const EVENTS: usize = 2_000;
const PEOPLE: usize = 100;
const KILLS: usize = 3;

fn body(number: usize) -> Value {
    let person = number % PEOPLE;
    json!({
        "user": { "id": format!("u-{person}"), "name": format!("Person {person}"), "plan": "gold" },
        "checkpoint": { "name": "Order" },
        "record": { "fields": { "number": number } },
    })
}

/// Every event is whole and has one record, and every acknowledged one is there.
async fn assert_whole(api: &Api, load: &Load) {
    let events = api.all("/v1/events").await;
    let by_id: BTreeMap<String, &Value> = events.iter().map(|event| (string(&event["id"]), event)).collect();
    assert_eq!(by_id.len(), events.len(), "an event is listed twice");
    let acknowledged = load.acknowledged();
    for (number, id) in &acknowledged {
        let event = by_id.get(id).unwrap_or_else(|| panic!("{id} was acknowledged and is lost"));
        assert_eq!(event["data"]["raw"], body(*number));
    }
    let numbers: BTreeSet<u64> =
        events.iter().filter_map(|event| event["data"]["raw"]["record"]["fields"]["number"].as_u64()).collect();
    assert_eq!(numbers.len(), events.len(), "a post became two events");
    assert!(events.len() <= acknowledged.len() + KILLS * CONNECTIONS, "more was stored than was sent");

    let records = api.until_count("/v1/checkpoint-records", events.len()).await;
    let mut reported: BTreeMap<String, &Value> = BTreeMap::new();
    for record in &records {
        assert!(reported.insert(string(&record["event"]), record).is_none(), "{record} has two records");
    }
    let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (id, event) in &by_id {
        let record = reported.get(id).unwrap_or_else(|| panic!("{id} has no record"));
        assert_eq!(record["fields"], event["data"]["raw"]["record"]["fields"]);
        assert_eq!(record["subscriber"], event["subject"]);
        let time = string(&event["time"]);
        let (first, last) = seen.entry(string(&event["subject"])).or_insert((time.clone(), time.clone()));
        *first = time.clone().min(first.clone());
        *last = time.max(last.clone());
    }

    let subscribers = api.until_count("/v1/subscribers", seen.len()).await;
    for subscriber in &subscribers {
        let person = string(&subscriber["platform_id"]).trim_start_matches("u-").to_owned();
        assert_eq!(subscriber["name"], format!("Person {person}"));
        assert_eq!(subscriber["attributes"], json!({ "plan": "gold" }));
        let (first, last) = &seen[subscriber["id"].as_str().unwrap()];
        assert_eq!(
            (&string(&subscriber["first_seen"]), &string(&subscriber["last_seen"])),
            (first, last),
            "{subscriber}"
        );
    }
}

#[tokio::test]
async fn acknowledged_events_outlive_a_kill_and_have_one_record_each() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let load = {
        let (_process, url) = Process::start(&data);
        let hook = Api::of(&url, &data).hook("botstar.watch-checkpoint-record").await;
        Load::new(&hook.url[url.len()..], EVENTS, body)
    };

    for kill in 0..=KILLS {
        let (process, url) = Process::start(&data);
        let api = Arc::new(Api::of(&url, &data));
        assert_whole(&api, &load).await;
        let posting = load.post(&api);
        if kill < KILLS {
            let until = load.count() + 50 + usize::from(random::<1>().unwrap()[0]) * 2;
            kill_at(process, until, || load.count()).await;
            posted(posting).await;
            println!("killed after {} of {EVENTS} were acknowledged", load.count());
        } else {
            posted(posting).await;
            assert_eq!(load.count(), EVENTS);
            assert_whole(&api, &load).await;
            assert_eq!(api.all("/v1/events").await.len(), EVENTS);
        }
    }
}
