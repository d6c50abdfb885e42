//! Durability after a power cut. A recording of `local` under load has its writes, syncs and answers in one order. From
//! it, the test makes the files as power cuts could have left them: each unsynced write may be missing or torn. `local`
//! must start with them, and have everything that it had answered or sent by then.

mod disk;
mod recording;

use crate::support::{
    load::{Load, kill_at, posted, reached},
    scale::scale,
    target::{ALLOW, route_to},
};
use axum::http::{HeaderMap, StatusCode};
use disk::{Disk, Files, Loss, Random};
use embedded::DATABASE_FILE;
use models::clock::random;
use recording::{Fact, Position, Recording, changes, files, writes_to};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tempfile::TempDir;
use tests::{Api, Process, string};
use tokio::{net::TcpListener, task::JoinHandle};

const PEOPLE: usize = 20;
/// So many posts for each event that must be acknowledged: they must not end before the last process does.
const POSTS_EACH: usize = 4;
/// The failing route's target takes one of so many calls.
const TAKEN_EACH: usize = 2;
/// During the recording, so that retries are in it; and afterwards, when the targets are gone.
const SOON: (&str, &str) = ("RETRY_SCHEDULE", "1,1,1,1,1,1,1,1,1,1");
const LATER: (&str, &str) = ("RETRY_SCHEDULE", "3600");
const ROUTES: [&str; 2] = ["good", "failing"];

fn body(number: usize) -> Value {
    let person = number % PEOPLE;
    json!({
        "user": { "id": format!("u-{person}"), "name": format!("Person {person}"), "plan": "gold" },
        "checkpoint": { "name": "Order" },
        "record": { "fields": { "number": number } },
    })
}

/// In memory where that can be: the recorder makes a sync take its time.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    folder.unwrap()
}

/// Serves the routes' targets. An event that arrives here must be stored.
async fn serve_targets(recording: &Arc<Recording>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (recording, failing) = (Arc::clone(recording), Arc::new(AtomicUsize::new(0)));
    let take = move |uri: axum::http::Uri, headers: HeaderMap| async move {
        recording.learn(Fact::Event(headers["webhook-id"].to_str().unwrap().to_owned()));
        let fails = uri.path() == "/failing" && !failing.fetch_add(1, Ordering::Relaxed).is_multiple_of(TAKEN_EACH);
        if fails { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
    };
    let serving = tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(take)).await.unwrap() });
    (url, serving)
}

fn outcome(delivery: &Value) -> Fact {
    let attempts = delivery["attempts"].as_array().unwrap().len();
    Fact::Delivery { id: string(&delivery["id"]), attempts, succeeded: delivery["state"] == "succeeded" }
}

/// Reads lists until the process is gone, and keeps what they report.
async fn read(recording: Arc<Recording>, api: Arc<Api>) {
    let page = async |path: &str| {
        let answer = api.request(reqwest::Method::GET, path).send().await.ok()?.error_for_status().ok()?;
        answer.json::<Value>().await.ok()
    };
    let items = |page: &Value| page["items"].as_array().unwrap().clone();
    let mut cursor = String::new();
    loop {
        let Some(events) = page("/v1/events?limit=10").await else { return };
        items(&events).iter().for_each(|event| recording.learn(Fact::Event(string(&event["id"]))));
        let Some(deliveries) = page(&format!("/v1/deliveries?limit=100{cursor}")).await else { return };
        items(&deliveries).iter().for_each(|delivery| recording.learn(outcome(delivery)));
        cursor = deliveries["next"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
}

/// Records three processes: the first one stops, the second is killed under load, and the third one's syncs fail.
/// Returns the position at which the first one served.
async fn record(recording: &Arc<Recording>, events: usize) -> Position {
    let (url, targets) = serve_targets(recording).await;
    let (process, api) = start(recording);
    let ready = recording.position();
    let hook = api.hook("botstar.watch-checkpoint-record").await;
    for name in ROUTES {
        route_to(&api, "botstar.*", &format!("{url}/{name}")).await;
    }
    process.signal("TERM");
    assert!(process.ended().0.success());

    let learns = Arc::clone(recording);
    let learn = move |event: &str| learns.learn(Fact::Event(event.to_owned()));
    let load = Load::new(&hook.url[api.url.len()..], events * POSTS_EACH, body, learn);
    let (process, api) = start(recording);
    let (posting, reading) = (load.post(&api), tokio::spawn(read(Arc::clone(recording), api)));
    kill_at(process, events / 2, || load.count()).await;
    posted(posting).await;
    reading.await.unwrap();

    let (process, api) = start(recording);
    let (posting, reading) = (load.post(&api), tokio::spawn(read(Arc::clone(recording), api)));
    reached(events, || load.count()).await;
    let successes = || {
        let facts = recording.facts();
        facts.keys().filter(|fact| matches!(fact, Fact::Delivery { succeeded: true, .. })).count()
    };
    reached(events, successes).await;
    recording.fail_syncs();
    let (status, output) = process.ended();
    posted(posting).await;
    reading.await.unwrap();
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(output.contains("the database can't be synced to disk"), "{output}");
    targets.abort();
    ready
}

fn start(recording: &Recording) -> (Process, Arc<Api>) {
    let (process, url) = recording.start(&[SOON]);
    (process, Arc::new(Api::of(&url, &recording.data())))
}

/// Positions of the cuts, in order: among all changes, in the first start, and just after an answer came.
fn cuts(count: usize, ends: &[Position], ready: Position, facts: &[Position], random: &mut Random) -> Vec<Position> {
    let first: Vec<_> = ends.iter().copied().filter(|end| *end <= ready).collect();
    let mut cuts: Vec<_> = (1..count)
        .map(|cut| random.one_of([first.as_slice(), ends, facts, facts, facts][cut % 5]))
        .chain(ends.last().copied())
        .collect();
    cuts.sort_unstable();
    cuts
}

/// Every event of the load is whole and has one record and one delivery to each route. Returns the ids of all events.
async fn assert_whole(api: &Api) -> BTreeSet<String> {
    let all = api.all("/v1/events").await;
    let ids: BTreeSet<_> = all.iter().map(|event| string(&event["id"])).collect();
    assert_eq!(ids.len(), all.len(), "an event is listed twice");
    // The others report that a route fails.
    let events: Vec<_> = all.iter().filter(|event| string(&event["type"]).starts_with("botstar.")).collect();
    let by_id: BTreeMap<String, &Value> = events.iter().map(|event| (string(&event["id"]), *event)).collect();
    let mut numbers = BTreeSet::new();
    for event in &events {
        let raw = &event["data"]["raw"];
        let number = usize::try_from(raw["record"]["fields"]["number"].as_u64().unwrap()).unwrap();
        assert_eq!(*raw, body(number));
        assert!(numbers.insert(number), "post {number} became two events");
    }

    let records = api.until_count("/v1/checkpoint-records", events.len()).await;
    let mut reported = BTreeSet::new();
    let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
    for record in &records {
        let id = string(&record["event"]);
        let event = by_id[&id];
        assert!(reported.insert(id), "{record} has two records");
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
        let times = (&string(&subscriber["first_seen"]), &string(&subscriber["last_seen"]));
        assert_eq!(times, (first, last), "{subscriber}");
    }

    let deliveries = api.until_count("/v1/deliveries", events.len() * ROUTES.len()).await;
    let pairs: BTreeSet<_> =
        deliveries.iter().map(|delivery| (string(&delivery["event"]), string(&delivery["route"]))).collect();
    assert_eq!(pairs.len(), deliveries.len(), "an event has two deliveries to one route");
    ids
}

/// Starts `local` with these files. All facts must be there, and everything must be whole.
async fn assert_kept(files: &Files, folder: &Path, facts: &[&Fact]) {
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    disk::write(files, &data);
    let (process, url) = Process::start_with(&data, &[ALLOW, LATER]);
    let api = Api::of(&url, &data);
    // The targets are gone, so a success that was lost can't happen again.
    let outcomes: Vec<Fact> = api.all("/v1/deliveries").await.iter().map(outcome).collect();
    let outcomes: BTreeMap<_, _> = outcomes
        .iter()
        .filter_map(|fact| match fact {
            Fact::Delivery { id, attempts, succeeded } => Some((id, (*attempts, *succeeded))),
            Fact::Event(_) => None,
        })
        .collect();
    let events = assert_whole(&api).await;
    for fact in facts {
        let kept = match fact {
            Fact::Event(event) => events.contains(event),
            Fact::Delivery { id, attempts, succeeded } => outcomes
                .get(id)
                .is_some_and(|(now, has)| if *succeeded { *has && now == attempts } else { now >= attempts }),
        };
        assert!(kept, "{fact:?} was known and is lost");
    }
    drop(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing_that_was_answered_or_sent() {
    let (began, events) = (Instant::now(), scale(60, 200));
    let recording = Recording::prepare(folder());
    let ready = record(&recording, events).await;
    let facts = recording.facts();
    let bytes = recording.bytes();
    let changes: Vec<_> = changes(&bytes).collect();
    println!("{} changes and {} facts recorded in {:.1?}", changes.len(), facts.len(), began.elapsed());
    let first_fact = facts.values().min().copied().unwrap();
    let copied = writes_to(DATABASE_FILE, &changes, first_fact);
    println!("{copied} writes of checkpoints under load");
    assert!(copied >= scale(0, 100), "the load must be long enough for a checkpoint");

    let seed = u64::from_ne_bytes(random().unwrap());
    let mut random = Random(seed);
    let ends: Vec<_> = changes.iter().map(|(end, _)| *end).collect();
    let known: Vec<_> = facts.values().copied().collect();
    let keys: Files = files(&recording.data()).filter(|(name, _)| name.ends_with("-key")).collect();
    assert_eq!(keys.len(), 2);
    let (mut disk, mut next) = (Disk::default(), 0);
    for cut in cuts(scale(10, 100), &ends, ready, &known, &mut random) {
        while let Some((end, change)) = changes.get(next).filter(|(end, _)| *end <= cut) {
            disk.take(*end, change);
            next += 1;
        }
        let loss = Loss::any(&mut random);
        println!("cut at {cut} of {}, {} changes unsynced, {loss:?}, seed {seed}", bytes.len(), disk.unsynced());
        let left = disk.cut(loss, &mut random);
        for (name, key) in keys.iter().filter(|_| cut >= ready) {
            assert_eq!(left.get(name), Some(key), "{name}");
        }
        let by_then: Vec<_> = facts.iter().filter(|(_, position)| **position <= cut).map(|(fact, _)| fact).collect();
        assert_kept(&left, recording.new_folder().path(), &by_then).await;
    }

    // The recorder has missed nothing.
    let all = disk.cut(Loss::NONE, &mut random);
    assert!(all == files(&recording.data()).collect(), "the recording differs from the files");
    println!("all of it in {:.1?}", began.elapsed());
}
