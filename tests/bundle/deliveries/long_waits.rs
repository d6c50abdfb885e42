//! A delivery whose next attempt is further off than the queue keeps messages back: only the table knows of it, so it
//! outlives a kill, and it is neither attempted early nor forgotten.

use crate::support::target::{ALLOW, Target, delivery, route_to};
use axum::http::StatusCode;
use models::DeliveryState;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use tempfile::TempDir;
use tests::{Api, Bundle, Process, TestHook, eventually, string};

const WAIT: Duration = Duration::from_secs(1_200);
/// Maximum of the jitter: a tenth of the wait.
const JITTER: Duration = Duration::from_secs(120);
const SETTINGS: [(&str, &str); 2] = [ALLOW, ("RETRY_SCHEDULE", "1200")];

/// A target that is ill at its first call.
const ILL_AT_FIRST: fn(usize) -> (StatusCode, Duration) = |before| {
    let status = if before == 0 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Duration::ZERO)
};

fn start(data: &Path) -> (Process, Api) {
    let (process, url) = Process::start_with(data, &SETTINGS);
    let api = Api::of(&url, data);
    (process, api)
}

/// Has an event delivered to another route. By then earlier work is done, including a sweep and the rebuilding of the
/// queue.
async fn pass_time(api: &Api, hook: &TestHook, other: &Target, text: &str) {
    let event = api.accept(hook, &json!({ "user": { "id": "u-2" }, "reason": text })).await;
    eventually(|| async { other.took(&event).then_some(()) }).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_long_wait_outlives_a_kill_and_ends_on_time() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let (ill, other) = (Target::start(ILL_AT_FIRST).await, Target::start(crate::support::target::TAKES_ALL).await);

    let (process, api) = start(&data);
    let tag = api.hook("botstar.watch-tag").await;
    let mut takeover = api.hook("botstar.watch-human-takeover").await;
    let route: Value = route_to(&api, "botstar.tag.added", &ill.url).await;
    route_to(&api, "botstar.takeover.requested", &other.url).await;
    let event = api.accept(&tag, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    eventually(|| async { (ill.calls().len() == 1).then_some(()) }).await;
    pass_time(&api, &takeover, &other, "before the kill").await;
    process.signal("KILL");
    process.ended();

    let (process, again) = start(&data);
    takeover.url = takeover.url.replace(&api.url, &again.url);
    pass_time(&again, &takeover, &other, "after the kill").await;
    process.signal("KILL");
    process.ended();
    assert_eq!(ill.calls().len(), 1, "it was attempted early");

    let settings = [&SETTINGS[..], &[("DATA_DIR", data.to_str().unwrap())]].concat();
    let bundle = Bundle::start_with(&settings).await;
    let parked = delivery(&bundle, &event, &route).await.unwrap();
    assert_eq!((parked.state, parked.attempts_made, parked.attempts[0].status), (DeliveryState::Pending, 1, Some(503)));
    let wait = parked.next_attempt_at.unwrap().millis_since(parked.attempts[0].at);
    assert!((WAIT.as_millis()..=(WAIT + JITTER).as_millis() + 5_000).contains(&u128::from(wait)), "{wait}");
    let due_at = parked.due_at.clone().unwrap();
    assert!(due_at.starts_with(&parked.next_attempt_at.unwrap().to_string()), "{due_at}");

    // Nearly there is not there.
    bundle.clock.advance(WAIT - Duration::from_secs(120));
    takeover.url = takeover.url.replace(&again.url, &bundle.url);
    pass_time(&bundle, &takeover, &other, "nearly there").await;
    assert_eq!(ill.calls().len(), 1, "it was attempted early");
    bundle.clock.advance(Duration::from_secs(120) + JITTER);
    eventually(|| async { (ill.calls().len() == 2).then_some(()) }).await;
    let done = eventually(|| async {
        delivery(&bundle, &event, &route).await.filter(|delivery| delivery.state == DeliveryState::Succeeded)
    })
    .await;
    assert_eq!((done.attempts_made, done.next_attempt_at, done.due_at), (2, None, None));
    assert!(ill.calls()[1].is_signed(&string(&route["target"]["secret"])) && ill.calls()[1].id() == event);
}
