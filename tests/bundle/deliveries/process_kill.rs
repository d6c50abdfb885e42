//! Deliveries after a crash: `local` is killed repeatedly while events come in and go out. In the end, every route
//! has received every acknowledged event.

use crate::support::{
    load::{Load, kill_at, posted},
    scale::scale,
    target::{ALLOW, Call, TAKES_ALL, Target, listed, route_to},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tests::{Api, Bundle, Process, eventually, string};

/// The dead target is alive after so many kills.
const DEAD_FOR: usize = 3;
/// One of so many calls is looked at more closely.
const SAMPLE: usize = 100;
/// Nothing new for so long, and the rest won't come.
const STALLED: Duration = Duration::from_secs(60);

/// A route with its target.
struct Lane {
    name: &'static str,
    target: Target,
    route: Value,
}

fn body(number: usize) -> Value {
    json!({ "user": { "id": format!("u-{}", number % 100) }, "tag": "vip", "number": number })
}

/// In memory where that can be: a killed process loses nothing that it has written, and syncing a disk takes longer than
/// all else.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

fn settings() -> [(&'static str, String); 3] {
    let waits: Vec<String> = [2; 20].iter().chain(&[5; 30]).map(u64::to_string).collect();
    [("RETRY_SCHEDULE", waits.join(",")), (ALLOW.0, ALLOW.1.to_owned()), ("RUST_LOG", "error".to_owned())]
}

fn start(data: &Path) -> (Process, Arc<Api>) {
    let settings = settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (process, url) = Process::start_with(data, &settings);
    let api = Arc::new(Api::of(&url, data));
    (process, api)
}

async fn lane(api: &Api, name: &'static str, target: Target) -> Lane {
    let route = route_to(api, "botstar.*", &target.url).await;
    Lane { name, target, route }
}

fn reached(lanes: &[Lane]) -> usize {
    lanes.iter().map(|lane| lane.target.taken()).sum()
}

/// Waits until each event has reached each target, as long as more come.
async fn all_reached(lanes: &[Lane], events: &BTreeSet<String>) {
    let (mut most, mut since) = (0, Instant::now());
    while !lanes.iter().all(|lane| lane.target.took_all(events)) {
        let now = reached(lanes);
        if now > most {
            (most, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < STALLED, "{} of {} reached their target", now, lanes.len() * events.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The calls are whole, and signed.
async fn assert_genuine(bundle: &Bundle, lane: &Lane) {
    let calls = lane.target.calls();
    let secret = string(&lane.route["target"]["secret"]);
    assert!(calls.iter().all(|call| call.headers["content-type"] == "application/cloudevents+json"));
    for call in calls.iter().step_by(SAMPLE) {
        assert!(call.is_signed(&secret), "{}", call.id());
        let event = bundle.get(&format!("/v1/events/{}", call.id()), 200).await;
        assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), event);
    }
}

/// Nothing is left to do, nothing was given up, and each event has one delivery to each route.
async fn assert_done(bundle: &Bundle, lanes: &[Lane], events: usize) {
    let store = &bundle.local.app.store;
    eventually(|| async { listed(bundle, store.pending_deliveries(None)).await.is_empty().then_some(()) }).await;
    assert_eq!(listed(bundle, store.dead_letters(None)).await, []);
    let mut walk = store.walk_events(None, None, None).await.unwrap();
    let mut count = 0;
    while let Some(deliveries) = walk.next(400, |_| true).await.unwrap() {
        count += deliveries.len();
    }
    assert_eq!(count, lanes.len() * events);
}

fn summary(lane: &Lane, began: Instant) -> String {
    let (calls, duplicates) = (lane.target.calls(), lane.target.duplicates());
    let last = calls.iter().map(|call: &Call| call.at).max().unwrap_or(began) - began;
    format!("{}: {} calls, {duplicates} duplicates, the last after {last:.1?}", lane.name, calls.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_events_reach_every_route_although_the_process_is_killed() {
    let (folder, began, sent) = (folder(), Instant::now(), scale(1_000, 5_000));
    let data = folder.path().join("data");
    let half = |before: usize| {
        let status = if before.is_multiple_of(2) { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        (status, Duration::ZERO)
    };
    let (dead, socket) = Target::dead(TAKES_ALL);
    let mut socket = Some(socket);
    let (lanes, load) = {
        let (_process, api) = start(&data);
        let hook = api.hook("botstar.watch-tag").await;
        let (good, failing) = (Target::start(TAKES_ALL).await, Target::start(half).await);
        let lanes = [
            lane(&api, "good", good).await,
            lane(&api, "failing half the time", failing).await,
            lane(&api, "dead at first", dead).await,
        ];
        (lanes, Load::new(&hook.url[api.url.len()..], sent, body, |_| ()))
    };

    // Some while events come in, then one when all are there, then one among the last deliveries.
    let of_events: [Option<usize>; 5] = [Some(sent / 7), Some(sent / 3), Some(sent * 2 / 3), Some(sent), None];
    for (kill, of_events) in of_events.into_iter().enumerate() {
        let (process, api) = start(&data);
        let posting = load.post(&api);
        match of_events {
            Some(count) => kill_at(process, count, || load.count()).await,
            None => kill_at(process, sent / 2, || lanes[2].target.taken()).await,
        }
        posted(posting).await;
        if kill + 1 == DEAD_FOR
            && let Some(socket) = socket.take()
        {
            lanes[2].target.listen(socket);
        }
        println!(
            "killed after {:.1?}: {} acknowledged, {} at their target",
            began.elapsed(),
            load.count(),
            reached(&lanes)
        );
    }
    let (process, api) = start(&data);
    posted(load.post(&api)).await;
    let events: BTreeSet<String> = load.acknowledged().into_values().collect();
    assert_eq!(events.len(), sent);
    all_reached(&lanes, &events).await;
    process.signal("TERM");
    assert!(process.ended().0.success());

    let settings = settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let bundle = Bundle::start_with(&[settings, vec![("DATA_DIR", data.to_str().unwrap())]].concat()).await;
    assert_done(&bundle, &lanes, sent).await;
    for lane in &lanes {
        println!("{}", summary(lane, began));
        assert_genuine(&bundle, lane).await;
    }
    println!("{sent} events to {} routes in {:.1?}", lanes.len(), began.elapsed());
}
