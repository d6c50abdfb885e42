//! How quickly a running `local` accepts as its events become many.
//!
//! `cargo run --example load -- URL KEY EVENTS [CONNECTIONS]`: makes a hook, posts so many distinct events to it from so
//! many connections (by default 16), and prints for each tenth of them how many a second were accepted and how long
//! that took, then how long the projection of the last one took after that.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tests::Api;
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Sample {
    number: usize,
    start: Instant,
    end: Instant,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, key, events, connections @ ..] = arguments.as_slice() else {
        return Err("usage: load URL KEY EVENTS [CONNECTIONS]".into());
    };
    let events: usize = events.parse()?;
    let connections: usize = connections.first().map_or(Ok(16), |text| text.parse())?;
    let api = Arc::new(Api::new(url, key));
    let hook = api.hook("botstar.watch-checkpoint-record").await;

    let next = Arc::new(AtomicUsize::new(0));
    let mut posting = JoinSet::new();
    for _ in 0..connections {
        posting.spawn(post(Arc::clone(&api), hook.url.clone(), Arc::clone(&next), events));
    }
    let mut samples = Vec::with_capacity(events);
    while let Some(posted) = posting.join_next().await {
        samples.extend(posted??);
    }
    samples.sort_unstable_by_key(|sample| sample.number);
    for tenth in samples.chunks(events.div_ceil(10)) {
        print(tenth);
    }
    let start = Instant::now();
    let newest = api.get("/v1/events?limit=1", 200).await["items"][0]["id"].clone();
    while api.get("/v1/checkpoint-records?limit=1", 200).await["items"][0]["event"] != newest {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("the newest event was dispatched {:?} after the last accept", start.elapsed());
    Ok(())
}

async fn post(api: Arc<Api>, url: String, next: Arc<AtomicUsize>, events: usize) -> Result<Vec<Sample>, Failure> {
    let mut samples = Vec::new();
    loop {
        let number = next.fetch_add(1, Relaxed);
        if number >= events {
            return Ok(samples);
        }
        let body = json!({
            "user": { "id": format!("u-{}", number % 1000), "name": "Ava Chen", "email": "ava@example.com" },
            "checkpoint": { "name": "Coffee Order" },
            "record": { "fields": { "Product": "Latte", "Number": number } },
        });
        let start = Instant::now();
        let answer = api.http.post(&url).json(&body).send().await?.error_for_status()?.text().await?;
        if !answer.contains("accepted") {
            return Err(answer.into());
        }
        samples.push(Sample { number, start, end: Instant::now() });
    }
}

fn print(samples: &[Sample]) {
    let mut latencies: Vec<Duration> = samples.iter().map(|sample| sample.end - sample.start).collect();
    latencies.sort_unstable();
    let start = samples.iter().map(|sample| sample.start).min();
    let end = samples.iter().map(|sample| sample.end).max();
    if let (Some(start), Some(end), Some(last)) = (start, end, samples.last()) {
        println!(
            "{:>7} accepted: {:>5.0} a second, p50 {:>6} us, p99 {:>6} us",
            last.number + 1,
            samples.len() as f64 / (end - start).as_secs_f64(),
            latencies[latencies.len() / 2].as_micros(),
            latencies[latencies.len() * 99 / 100].as_micros(),
        );
    }
}
