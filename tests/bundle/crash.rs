//! What is left after a power cut: `local` is killed in mid-load again and again.

use runtime::clock::random;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tests::{Api, Process, string};
use tokio::task::JoinSet;

const EVENTS: usize = 2_000;
const PEOPLE: usize = 100;
const CONNECTIONS: usize = 16;
const KILLS: usize = 3;

/// What is still to be posted, and what was acknowledged: the number of a post, and its event's id.
#[derive(Default)]
struct Load {
    waiting: VecDeque<usize>,
    acknowledged: BTreeMap<usize, String>,
}

fn body(number: usize) -> Value {
    let person = number % PEOPLE;
    json!({
        "user": { "id": format!("u-{person}"), "name": format!("Person {person}"), "plan": "gold" },
        "checkpoint": { "name": "Order" },
        "record": { "fields": { "number": number } },
    })
}

/// Posts what is waiting, until all is acknowledged or nobody answers any more.
async fn post(api: Arc<Api>, hook_path: String, load: Arc<Mutex<Load>>) {
    loop {
        let Some(number) = load.lock().unwrap().waiting.pop_front() else { return };
        let url = format!("{}{hook_path}", api.url);
        let sent = api.http.post(url).json(&body(number)).send().await;
        let receipt = match sent {
            Ok(response) => {
                let status = response.status();
                response.json::<Value>().await.map(|receipt| (status, receipt))
            }
            Err(error) => Err(error),
        };
        let Ok((status, receipt)) = receipt else {
            load.lock().unwrap().waiting.push_back(number);
            return;
        };
        assert_eq!(status, 200, "{receipt}");
        load.lock().unwrap().acknowledged.insert(number, string(&receipt["event"]));
    }
}

fn post_from_all_connections(api: &Arc<Api>, hook_path: &str, load: &Arc<Mutex<Load>>) -> JoinSet<()> {
    let mut posting = JoinSet::new();
    for _ in 0..CONNECTIONS {
        posting.spawn(post(Arc::clone(api), hook_path.to_owned(), Arc::clone(load)));
    }
    posting
}

/// Every event is whole and told once, and every acknowledged one is there.
async fn assert_whole(api: &Api, load: &Mutex<Load>) {
    let events = api.all("/v1/events").await;
    let by_id: BTreeMap<String, &Value> = events.iter().map(|event| (string(&event["id"]), event)).collect();
    assert_eq!(by_id.len(), events.len(), "an event is listed twice");
    let acknowledged = load.lock().unwrap().acknowledged.clone();
    for (number, id) in &acknowledged {
        let event = by_id.get(id).unwrap_or_else(|| panic!("{id} was acknowledged and is lost"));
        assert_eq!(event["data"]["raw"], body(*number));
    }
    let numbers: BTreeSet<u64> =
        events.iter().filter_map(|event| event["data"]["raw"]["record"]["fields"]["number"].as_u64()).collect();
    assert_eq!(numbers.len(), events.len(), "a post became two events");
    assert!(events.len() <= acknowledged.len() + KILLS * CONNECTIONS, "more was stored than was sent");

    let records = api.until_count("/v1/checkpoint-records", events.len()).await;
    let mut told: BTreeMap<String, &Value> = BTreeMap::new();
    for record in &records {
        assert!(told.insert(string(&record["event"]), record).is_none(), "{record} is told twice");
    }
    let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (id, event) in &by_id {
        let record = told.get(id).unwrap_or_else(|| panic!("{id} is not told"));
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
async fn what_was_acknowledged_outlives_a_kill_and_is_told_once() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let load = Load { waiting: (0..EVENTS).collect(), acknowledged: BTreeMap::new() };
    let load = Arc::new(Mutex::new(load));
    let hook_path = {
        let (_process, url) = Process::start(&data);
        let hook = Api::of(&url, &data).hook("botstar.watch-checkpoint-record").await;
        hook.url[url.len()..].to_owned()
    };

    for kill in 0..=KILLS {
        let (process, url) = Process::start(&data);
        let api = Arc::new(Api::of(&url, &data));
        assert_whole(&api, &load).await;
        let acknowledged = || load.lock().unwrap().acknowledged.len();
        let mut posting = post_from_all_connections(&api, &hook_path, &load);
        if kill < KILLS {
            let until = acknowledged() + 50 + usize::from(random::<1>().unwrap()[0]) * 2;
            while acknowledged() < until {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            process.signal("KILL");
            while posting.join_next().await.transpose().unwrap().is_some() {}
            println!("killed after {} of {EVENTS} were acknowledged", acknowledged());
        } else {
            while posting.join_next().await.transpose().unwrap().is_some() {}
            assert_eq!(acknowledged(), EVENTS);
            assert_whole(&api, &load).await;
            assert_eq!(api.all("/v1/events").await.len(), EVENTS);
        }
    }
}
