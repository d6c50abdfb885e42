//! Events through `local` as `make run` starts it, on disk: posted by many senders at once, folded, and delivered to a
//! receiver in this process. With `BEFORE`, another `local` is measured in turn with this one.

use crate::{
    BoxError, proc,
    receiver::{Receiver, TAKES_ALL},
    setup::{body, path},
    table::Table,
};
use futures::future::try_join_all;
use serde_json::json;
use std::{
    env,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tests::{ADMIN_KEY, Api, Process};
use tokio::time;

const ROUNDS: usize = 3;
const EVENTS: usize = 3_000;
const SENDERS: usize = 32;
/// Time for the outcomes of the last deliveries, so that their CPU is counted.
const OUTCOMES: Duration = Duration::from_millis(500);

pub async fn events(table: &mut Table) -> Result<(), BoxError> {
    let mut binaries = vec![("flow", "`local`", env::current_exe()?.with_file_name("local"))];
    if let Some(before) = env::var_os("BEFORE") {
        binaries.insert(0, ("flow.before", "`local` before", PathBuf::from(before)));
    }
    let mut rounds: Vec<Vec<Round>> = binaries.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((_, _, binary), rounds) in binaries.iter().zip(&mut rounds) {
            rounds.push(round(binary).await?);
        }
    }
    for ((name, what, _), rounds) in binaries.iter().zip(rounds) {
        let what = format!("{what} on file, {SENDERS} at once, one route");
        let all = |figure: fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<f64>>();
        let figures: [(&str, &str, Vec<f64>, &str); 4] = [
            ("accepted", "accepts a second", all(|round| round.accepted), ""),
            ("delivered", "events a second, until all are delivered", all(|round| round.delivered), ""),
            ("cpu", "CPU of an event", all(|round| round.cpu_ms), "ms"),
            ("mib", "the most memory", all(|round| round.mib), "MiB"),
        ];
        for (figure, of, values, unit) in figures {
            table.median("flow", &format!("{name}.{figure}"), &format!("{what}: {of}"), values, unit);
        }
    }
    Ok(())
}

struct Round {
    /// Events a second, until all are accepted and until all are delivered.
    accepted: f64,
    delivered: f64,
    /// User and system time per event, in milliseconds.
    cpu_ms: f64,
    mib: f64,
}

async fn round(binary: &Path) -> Result<Round, BoxError> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let own = [("PORT", "0"), ("DATA_DIR", path(&data)?), ("ADMIN_KEY", ADMIN_KEY)];
    let settings = [&own[..], &[("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"), ("MALLOC_ARENA_MAX", "2")]].concat();
    let mut local = Process::spawn_binary(binary, folder.path(), &settings);
    let api = Api::new(&local.listening(), ADMIN_KEY);
    let receiver = Receiver::start(TAKES_ALL).await?;
    let hook = api.hook("botstar.watch-checkpoint-record").await;
    let target = json!({ "type": "webhook", "url": receiver.url });
    api.post("/v1/routes", &json!({ "name": "Flow", "events": ["botstar.*"], "target": target }), 201).await;

    let (next, before, started) = (AtomicUsize::new(0), proc::cpu(local.id())?, Instant::now());
    try_join_all((0..SENDERS).map(|_| post(&api, &hook.url, &next))).await?;
    let accepted = started.elapsed();
    let delivered = receiver.received_all(EVENTS).await? - started;
    time::sleep(OUTCOMES).await;
    let mib = proc::peak_mib(local.id())?;
    let events = EVENTS as f64;
    Ok(Round {
        accepted: events / accepted.as_secs_f64(),
        delivered: events / delivered.as_secs_f64(),
        cpu_ms: (proc::cpu(local.id())? - before) * 1e3 / events,
        mib,
    })
}

async fn post(api: &Api, url: &str, next: &AtomicUsize) -> Result<(), BoxError> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= EVENTS {
            return Ok(());
        }
        let answer = api.send(url, body(number, 0)).await;
        if answer.status != 200 {
            return Err(answer.text.into());
        }
    }
}
