//! Latency of puts as the number of events grows.
//!
//! `cargo run --release --example latency -- [--lag] EVENTS [DIRECTORY]` puts events one after the other while a
//! follower handles the stream. For each tenth of them it prints the latency and the size of the write-ahead log. With
//! `--lag` the follower stays behind by half of all events. Without a directory nothing is synced to disk, so the
//! figures exclude the disk.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded::{Database, Follower, IndexSpec, Location, TableSpec};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const TABLE: &str = "events";

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let lag = arguments.iter().position(|argument| argument == "--lag").map(|at| arguments.remove(at)).is_some();
    let events: usize = arguments.first().ok_or("how many events?")?.parse()?;
    let directory = arguments.get(1).map(PathBuf::from);

    let database = Database::open(directory.clone().map_or(Location::Temporary, Location::Directory))?;
    database.create_tables(&[TableSpec {
        name: TABLE.to_owned(),
        key: "pk",
        sort: None,
        indexes: vec![IndexSpec { name: "by_user", key: "user", sort: Some("pk") }],
        ttl: None,
        stream: true,
        is_clustered: false,
    }])?;
    let client = Client::from_conf(database.sdk_config());
    let (put, handled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let following = follow(database.follow(TABLE, 100)?, events, if lag { 2 } else { 1 }, put.clone(), handled.clone());
    let following = tokio::spawn(following);

    for tenth in 0..10 {
        let mut latencies = Vec::with_capacity(events / 10);
        for number in 0..events / 10 {
            let start = Instant::now();
            put_event(&client, tenth * (events / 10) + number).await?;
            latencies.push(start.elapsed());
            put.fetch_add(1, Relaxed);
        }
        latencies.sort_unstable();
        let log = directory.as_ref().and_then(|path| path.join("switchboard.db-wal").metadata().ok());
        println!(
            "{:>7} put, {:>6} unhandled: p50 {:>6} us, p99 {:>6} us, mean {:>6} us; log {} KB",
            put.load(Relaxed),
            put.load(Relaxed).saturating_sub(handled.load(Relaxed)),
            latencies[latencies.len() / 2].as_micros(),
            latencies[latencies.len() * 99 / 100].as_micros(),
            latencies.iter().sum::<Duration>().as_micros() / latencies.len() as u128,
            log.map_or(0, |metadata| metadata.len() / 1024),
        );
    }
    let start = Instant::now();
    following.await??;
    println!("all handled {:?} later", start.elapsed());
    Ok(())
}

async fn put_event(client: &Client, number: usize) -> Result<()> {
    let text = |value: String| AttributeValue::S(value);
    let item = client.put_item().table_name(TABLE).item("pk", text(format!("event-{number:08}")));
    let item = item.item("user", text(format!("user-{}", number % 1000))).item("payload", text("x".repeat(300)));
    item.condition_expression("attribute_not_exists(pk)").send().await?;
    Ok(())
}

/// Handles one in `slowness` of the stream's events, until all are put.
async fn follow(
    mut follower: Follower,
    events: usize,
    slowness: usize,
    put: Arc<AtomicUsize>,
    handled: Arc<AtomicUsize>,
) -> Result<()> {
    while handled.load(Relaxed) < events {
        while put.load(Relaxed) < events && handled.load(Relaxed) * slowness > put.load(Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let batch = follower.next().await?;
        follower.done(&batch.position).await?;
        handled.fetch_add(batch.records.len(), Relaxed);
    }
    Ok(())
}
