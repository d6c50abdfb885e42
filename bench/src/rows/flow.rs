//! Events through `local` as `make run` starts it, on disk: posted by many senders at once, folded, and delivered to a
//! receiver in this process. With `BEFORE`, another `local` is measured in turn with this one.

use crate::{
    BoxError,
    function::peak_mib,
    setup::{body, path},
    table::Table,
};
use axum::{Router, http::HeaderMap};
use futures::future::try_join_all;
use serde_json::json;
use std::{
    collections::HashSet,
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tests::{ADMIN_KEY, Api, Process};
use tokio::{net::TcpListener, time};

const ROUNDS: usize = 3;
const EVENTS: usize = 3_000;
const SENDERS: usize = 32;
/// Time without an arrival after which the rest counts as lost.
const STALLED: Duration = Duration::from_secs(30);
/// Time for the outcomes of the last deliveries, so that their CPU is counted.
const OUTCOMES: Duration = Duration::from_millis(500);
/// `sysconf(_SC_CLK_TCK)`, which is the same on all Linux systems.
const TICKS_PER_SECOND: f64 = 100.0;

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
    let receiver = Receiver::start().await?;
    let hook = api.hook("botstar.watch-checkpoint-record").await;
    let target = json!({ "type": "webhook", "url": receiver.url });
    api.post("/v1/routes", &json!({ "name": "Flow", "events": ["botstar.*"], "target": target }), 201).await;

    let (next, before, started) = (AtomicUsize::new(0), cpu(&local)?, Instant::now());
    try_join_all((0..SENDERS).map(|_| post(&api, &hook.url, &next))).await?;
    let accepted = started.elapsed();
    let delivered = receiver.received_all(EVENTS).await? - started;
    time::sleep(OUTCOMES).await;
    let mib = peak_mib(&proc(&local, "status"))?;
    let events = EVENTS as f64;
    Ok(Round {
        accepted: events / accepted.as_secs_f64(),
        delivered: events / delivered.as_secs_f64(),
        cpu_ms: (cpu(&local)? - before) * 1e3 / events,
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

fn proc(process: &Process, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/{file}", process.id()))
}

/// CPU time of a process, in seconds, with that of threads that have ended.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
fn cpu(process: &Process) -> Result<f64, BoxError> {
    let stat = fs::read_to_string(proc(process, "stat"))?;
    // The second field, the name in parentheses, may contain spaces.
    let (_, fields) = stat.rsplit_once(") ").ok_or("no name in stat")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// A target that accepts everything, and keeps the ids.
struct Receiver {
    url: String,
    arrivals: Arc<Mutex<Arrivals>>,
}

struct Arrivals {
    ids: HashSet<String>,
    /// Time of the last new id.
    last: Instant,
}

impl Receiver {
    async fn start() -> Result<Self, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let arrivals = Arc::new(Mutex::new(Arrivals { ids: HashSet::new(), last: Instant::now() }));
        let kept = Arc::clone(&arrivals);
        let router = Router::new().fallback(async move |headers: HeaderMap| {
            let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
            let mut arrivals = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if arrivals.ids.insert(id.to_owned()) {
                arrivals.last = Instant::now();
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, arrivals })
    }

    /// Waits until so many events have arrived, and returns the time of the last.
    async fn received_all(&self, events: usize) -> Result<Instant, BoxError> {
        loop {
            let (count, last) = {
                let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                (arrivals.ids.len(), arrivals.last)
            };
            if count >= events {
                return Ok(last);
            }
            if last.elapsed() > STALLED {
                return Err(format!("{count} of {events} events were delivered, and no more came").into());
            }
            time::sleep(Duration::from_millis(10)).await;
        }
    }
}
