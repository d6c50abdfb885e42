//! A slow target delays no other: how long deliveries take to a good target while hundreds wait for a slow one, against
//! how long they take where nothing waits. Both bundles run in this process and take turns event by event, so that whatever
//! else the machine does happens to both.

use crate::support::{
    scale::scale,
    target::{ALLOW, TAKES_ALL, Target, route_to},
};
use axum::http::StatusCode;
use serde_json::json;
use std::time::{Duration, Instant};
use tests::{Bundle, TestHook, eventually};
use tokio::time::timeout;

const MAX_RATIO: f64 = 1.5;
/// Time limit of one delivery to the good target.
const LIMIT: Duration = Duration::from_secs(8);

/// A bundle with a good target, and the hook of which events go there.
struct Lane {
    bundle: Bundle,
    good: Target,
    hook: TestHook,
}

impl Lane {
    /// With deliveries to another target, which wait if it is slow.
    async fn start(other: &Target, waiting: usize) -> Self {
        let bundle = Bundle::start_with(&[ALLOW]).await;
        let good = Target::start(TAKES_ALL).await;
        route_to(&bundle, "botstar.tag.added", &good.url).await;
        route_to(&bundle, "botstar.takeover.requested", &other.url).await;
        let hook = bundle.hook("botstar.watch-tag").await;
        let filling = bundle.hook("botstar.watch-human-takeover").await;
        for number in 0..waiting {
            bundle.accept(&filling, &json!({ "user": { "id": format!("u-{number}") }, "reason": "help" })).await;
        }
        Self { bundle, good, hook }
    }

    /// Time from the accepted event to its delivery.
    async fn latency(&self, number: usize) -> Duration {
        let body = json!({ "user": { "id": format!("u-{}", number % 100) }, "tag": format!("tag {number}") });
        let event = self.bundle.accept(&self.hook, &body).await;
        let accepted = Instant::now();
        let call = timeout(LIMIT, self.good.until_latest_is(&event)).await;
        call.expect("the good target's deliveries wait").at.saturating_duration_since(accepted)
    }
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_target_delays_no_other() {
    let slow = Target::start(|_| (StatusCode::NO_CONTENT, Duration::from_secs(12))).await;
    let quick = Target::start(TAKES_ALL).await;
    let (waiting, events) = (scale(1_200, 3_000), scale(400, 700));
    let (beside, alone) = (Lane::start(&slow, waiting).await, Lane::start(&quick, waiting).await);
    eventually(|| async { (quick.count() == waiting && slow.count() >= 10).then_some(()) }).await;

    let (mut of_beside, mut of_alone) = (Vec::new(), Vec::new());
    for number in 0..events {
        of_alone.push(alone.latency(number).await);
        of_beside.push(beside.latency(number).await);
    }
    assert!(slow.count() < waiting / 2, "the slow target was too quick to keep anything waiting");
    let (alone, beside) = (p99(of_alone), p99(of_beside));
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    println!("p99: {alone:.1?} alone, {beside:.1?} beside a slow target, a ratio of {ratio:.2}");
    assert!(ratio < MAX_RATIO, "{ratio}");
}
