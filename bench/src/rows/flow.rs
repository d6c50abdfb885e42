//! Events through `local` as `make run` starts it, on disk: posted, folded, and delivered to receivers in this process.
//! With `BEFORE`, another `local` is measured in turn with this one.
//!
//! In a burst, many senders post at once to one route. Steady events come at fixed times and go to two routes, one of
//! which fails every other time.

use crate::{
    BoxError, proc,
    receiver::{Answers, FAILS_EVERY_OTHER, RETRY_SECONDS, Receiver, TAKES_ALL},
    setup::{body, path, spawn_local},
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
use tests::{ADMIN_KEY, Api, Process, TestHook};
use tokio::time;

const ROUNDS: usize = 3;
const EVENTS: usize = 3_000;
const SENDERS: usize = 32;
const STEADY_EVENTS: usize = 1_500;
/// A hundred events a second.
const STEADY_INTERVAL: Duration = Duration::from_millis(10);
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
        let burst = format!("{what} on file, {SENDERS} at once, one route");
        let steady = format!("{what} on file, 100 events a second, two routes, one failing every other time");
        let all = |figure: fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<f64>>();
        let figures: [(&str, &str, &str, Vec<f64>, &str); 5] = [
            ("accepted", &burst, "accepts a second", all(|round| round.accepted), ""),
            ("delivered", &burst, "events a second, until all are delivered", all(|round| round.delivered), ""),
            ("cpu", &burst, "CPU of an event", all(|round| round.cpu_ms), "ms"),
            ("mib", &burst, "the most memory", all(|round| round.mib), "MiB"),
            ("steady_cpu", &steady, "CPU of an event", all(|round| round.steady_cpu_ms), "ms"),
        ];
        for (figure, what, of, values, unit) in figures {
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
    steady_cpu_ms: f64,
}

async fn round(binary: &Path) -> Result<Round, BoxError> {
    let local = Started::of(binary, &[TAKES_ALL]).await?;
    let (before, started) = (proc::cpu(local.process.id())?, Instant::now());
    local.post_all(EVENTS, Duration::ZERO).await?;
    let accepted = started.elapsed();
    let (cpu_ms, delivered) = local.cpu_ms(before, EVENTS).await?;
    let (events, mib) = (EVENTS as f64, proc::peak_mib(local.process.id())?);
    drop(local);
    Ok(Round {
        accepted: events / accepted.as_secs_f64(),
        delivered: events / (delivered - started).as_secs_f64(),
        cpu_ms,
        mib,
        steady_cpu_ms: steady_cpu_ms(binary).await?,
    })
}

async fn steady_cpu_ms(binary: &Path) -> Result<f64, BoxError> {
    let local = Started::of(binary, &[TAKES_ALL, FAILS_EVERY_OTHER]).await?;
    let before = proc::cpu(local.process.id())?;
    local.post_all(STEADY_EVENTS, STEADY_INTERVAL).await?;
    Ok(local.cpu_ms(before, STEADY_EVENTS).await?.0)
}

/// A running `local` with a hook, and a route to each receiver.
struct Started {
    process: Process,
    api: Api,
    hook: TestHook,
    receivers: Vec<Receiver>,
    _folder: TempDir,
}

impl Started {
    async fn of(binary: &Path, targets: &[Answers]) -> Result<Self, BoxError> {
        let folder = TempDir::new()?;
        let data = folder.path().join("data");
        let waits = RETRY_SECONDS.join(",");
        let settings = [
            ("PORT", "0"),
            ("DATA_DIR", path(&data)?),
            ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"),
            ("RETRY_SCHEDULE", &waits),
        ];
        let mut process = spawn_local(binary, folder.path(), &settings);
        let api = Api::new(&process.listening(), ADMIN_KEY);
        let hook = api.hook("botstar.watch-checkpoint-record").await;
        let mut receivers = Vec::new();
        for answers in targets {
            let receiver = Receiver::start(*answers).await?;
            let target = json!({ "type": "webhook", "url": receiver.url });
            api.post("/v1/routes", &json!({ "name": "Flow", "events": ["botstar.*"], "target": target }), 201).await;
            receivers.push(receiver);
        }
        Ok(Self { process, api, hook, receivers, _folder: folder })
    }

    /// Posts events at this interval, as far as the senders can.
    async fn post_all(&self, events: usize, interval: Duration) -> Result<(), BoxError> {
        let (next, started) = (AtomicUsize::new(0), time::Instant::now());
        let sender = async || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= events {
                    return Ok::<_, BoxError>(());
                }
                time::sleep_until(started + interval * u32::try_from(number)?).await;
                let answer = self.api.send(&self.hook.url, body(number, 0)).await;
                if answer.status != 200 {
                    return Err(answer.text.into());
                }
            }
        };
        try_join_all((0..SENDERS).map(|_| sender())).await?;
        Ok(())
    }

    /// Waits until all events are delivered. Returns the CPU time of each since `before`, and the time of the last.
    async fn cpu_ms(&self, before: f64, events: usize) -> Result<(f64, Instant), BoxError> {
        let arrived = try_join_all(self.receivers.iter().map(|receiver| receiver.received_all(events))).await?;
        time::sleep(OUTCOMES).await;
        let last = arrived.into_iter().max().ok_or("no receiver")?;
        Ok(((proc::cpu(self.process.id())? - before) * 1e3 / events as f64, last))
    }
}
