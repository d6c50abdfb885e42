//! `local` under a steady load, as `make run` starts it, killed at random.
//!
//! A run has four quarters. In the first and in the last, one process lives on after a kill and a pause, so that the memory of
//! two equal lifetimes can be compared. Between them it is killed at random. At the end, nothing may be lost, every record must
//! be right, and memory and the database's size must be within their limits.

mod file;
mod load;
mod memory;
mod process;
mod records;

use crate::{
    BoxError,
    receiver::{Answers, FAILS_EVERY_OTHER, Receiver, TAKES_ALL},
};
use axum::http::StatusCode;
use fastrand::Rng;
use load::Load;
use process::Supervised;
use serde_json::json;
use std::{
    env,
    process::ExitCode,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};
use tests::{ADMIN_KEY, Api, string};
use tokio::time;

const DEFAULT_SECONDS: u64 = 60;
const DEFAULT_RATE: u32 = 200;
/// In a shorter run, kills would be closer than a process takes to start.
const MIN_SECONDS: u64 = 20;
/// Limits of a process's lifetime between two kills. In a short run, the longest is an eighth of the run.
const SHORTEST_LIFE: Duration = Duration::from_secs(2);
const LONGEST_LIFE: Duration = Duration::from_secs(60);
/// Length of a pause. After it, as many events and deliveries are in progress at once as there may be.
const PAUSE: Duration = Duration::from_secs(3);
/// Interval between measurements of memory.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Time that the slow target takes for an answer. `local` has 100 deliveries of a route in progress at once, so such
/// a route can keep up with 1,300 events a second.
const SLOW: Duration = Duration::from_millis(75);

/// The routes by name, with the answers of their targets. Each selects all events.
const ROUTES: [(&str, Answers); 3] =
    [("quick", TAKES_ALL), ("slow", |_| (StatusCode::OK, SLOW)), ("failing", FAILS_EVERY_OTHER)];

struct Options {
    length: Duration,
    /// Events a second.
    rate: u32,
    seed: u64,
}

enum Disturbance {
    Kill,
    Pause,
    Resume,
}

/// A route and its target.
struct Lane {
    name: &'static str,
    route: String,
    receiver: Receiver,
}

/// Prints a line for each check, and counts those that failed.
#[derive(Default)]
struct Verdict {
    failed: usize,
}

pub async fn run() -> Result<ExitCode, BoxError> {
    let options = Options::read()?;
    println!(
        "{} s at {} events a second; SOAK_SEED={} repeats the kills",
        options.length.as_secs(),
        options.rate,
        options.seed
    );
    let mut local = Supervised::start()?;
    let api = Arc::new(Api::new(&local.url, ADMIN_KEY));
    let hook = api.hook("botstar.watch-checkpoint-record").await;
    let lanes = lanes(&api).await?;
    let load = Load::new(&api, &hook.url);
    let waited = under_load(&options, &mut local, &load, &lanes).await?;

    let mut verdict = Verdict::default();
    let events = load.acknowledged();
    verdict.add("nothing is lost", arrived(&lanes, events.len()).await);
    println!("{}", progress(&options.length, &local, &load, &lanes)?);
    verdict.add("targets got the acknowledged events alone", records::targets(&lanes, &events));
    verdict.add("each delivery succeeded, once", records::deliveries(&api, &lanes, &events).await);
    let (counts, result) = records::checkpoint_records(&api, &events).await;
    verdict.add("each event is one checkpoint record", result);
    verdict.add("subscribers are right", records::subscribers(&api, &events, &counts).await);
    verdict.add("memory is within its limit", memory::within_limit(local.peak_mib()?));
    if memory::can_compare(options.length) {
        verdict.add("memory is flat", memory::flat(local.samples(), options.length));
    } else {
        println!("not checked: that memory is flat, which takes SOAK_SECONDS={} or more", memory::COMPARED_SECONDS);
    }
    verdict.add("the database is small", file::size(&local.stop(), events.len(), lanes.len(), waited));
    Ok(verdict.end())
}

impl Options {
    fn read() -> Result<Self, BoxError> {
        let seconds = setting("SOAK_SECONDS")?.unwrap_or(DEFAULT_SECONDS);
        let rate = setting("SOAK_RATE")?.unwrap_or(DEFAULT_RATE);
        if seconds < MIN_SECONDS || rate == 0 {
            return Err(format!("SOAK_SECONDS must be at least {MIN_SECONDS}, and SOAK_RATE at least 1").into());
        }
        let seed = setting("SOAK_SEED")?.unwrap_or_else(|| u64::from(fastrand::u32(..)));
        Ok(Self { length: Duration::from_secs(seconds), rate, seed })
    }

    /// The disturbances by their time since the start: a kill and a pause before each lifetime whose memory is compared, and
    /// random kills between.
    fn disturbances(&self) -> Vec<(Duration, Disturbance)> {
        let (first, from, until, last) = (self.length / 24, self.length / 4, self.length * 2 / 3, self.length * 3 / 4);
        let longest = LONGEST_LIFE.min(self.length / 8);
        let mut random = Rng::with_seed(self.seed);
        let mut all = self.kill_and_pause(first);
        let mut at = from;
        while at < until {
            all.push((at, Disturbance::Kill));
            at += SHORTEST_LIFE + longest.mul_f64(random.f64());
        }
        all.extend(self.kill_and_pause(last));
        all
    }

    fn kill_and_pause(&self, at: Duration) -> Vec<(Duration, Disturbance)> {
        let pause = at + self.length / 48;
        vec![(at, Disturbance::Kill), (pause, Disturbance::Pause), (pause + PAUSE, Disturbance::Resume)]
    }
}

/// A setting from the environment; none if it is unset or empty.
fn setting<T: FromStr>(name: &str) -> Result<Option<T>, BoxError> {
    match env::var(name).unwrap_or_default().as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("{name} must be a whole number, not {text:?}").into()),
    }
}

async fn lanes(api: &Api) -> Result<Vec<Lane>, BoxError> {
    let mut lanes = Vec::new();
    for (name, answers) in ROUTES {
        let receiver = Receiver::start(answers).await?;
        let target = json!({ "type": "webhook", "url": receiver.url });
        let route = json!({ "name": name, "events": ["botstar.*"], "target": target });
        let route = string(&api.post("/v1/routes", &route, 201).await["id"]);
        lanes.push(Lane { name, route, receiver });
    }
    Ok(lanes)
}

/// Sends events until the time is up and all are acknowledged, with the planned disturbances. Returns the largest number
/// of deliveries that waited at once.
async fn under_load(
    options: &Options,
    local: &mut Supervised,
    load: &Arc<Load>,
    lanes: &[Lane],
) -> Result<usize, BoxError> {
    let (start, mut waited) = (Instant::now(), 0);
    let mut disturbances = options.disturbances().into_iter().peekable();
    let (mut samples, mut lines) = (time::interval(SAMPLE_EVERY), time::interval(PROGRESS_EVERY));
    lines.tick().await;
    let mut sending = tokio::spawn(Arc::clone(load).send(options.rate, options.length));
    loop {
        let next = disturbances.peek().map(|(at, _)| start + *at);
        tokio::select! {
            sent = &mut sending => {
                sent??;
                return Ok(waited.max(waiting(load, lanes)));
            }
            _ = samples.tick() => {
                local.sample(start.elapsed())?;
                waited = waited.max(waiting(load, lanes));
            }
            _ = lines.tick() => println!("{}", progress(&start.elapsed(), local, load, lanes)?),
            () = time::sleep_until(next.unwrap_or(start).into()), if next.is_some() => match disturbances.next() {
                Some((_, Disturbance::Kill)) => local.restart()?,
                Some((_, Disturbance::Pause)) => local.signal("STOP"),
                Some((_, Disturbance::Resume)) => local.signal("CONT"),
                None => {}
            },
        }
    }
}

/// Number of acknowledged events' deliveries that have not arrived.
fn waiting(load: &Load, lanes: &[Lane]) -> usize {
    let (_, acknowledged) = load.counts();
    // A delivery may arrive before its event's acknowledgement.
    lanes.iter().map(|lane| acknowledged.saturating_sub(lane.receiver.count())).sum()
}

fn progress(at: &Duration, local: &Supervised, load: &Load, lanes: &[Lane]) -> Result<String, BoxError> {
    let (sent, acknowledged) = load.counts();
    let delivered: Vec<String> = lanes.iter().map(|lane| format!("{} {}", lane.name, lane.receiver.count())).collect();
    let waiting = waiting(load, lanes);
    Ok(format!(
        "{:>5} s: {sent} sent, {acknowledged} acknowledged; delivered: {}; {waiting} waiting; {} kills; {:.1} MiB; {:.0} bytes of database an event",
        at.as_secs(),
        delivered.join(", "),
        local.kills(),
        local.resident_mib()?,
        local.database_bytes()? as f64 / acknowledged.max(1) as f64,
    ))
}

/// Waits until each route's target has taken all events.
async fn arrived(lanes: &[Lane], events: usize) -> Result<String, String> {
    for lane in lanes {
        lane.receiver.received_all(events).await.map_err(|error| format!("route {}: {error}", lane.name))?;
    }
    Ok(format!("{events} events at {} routes", lanes.len()))
}

impl Verdict {
    fn add(&mut self, what: &str, result: Result<String, String>) {
        match result {
            Ok(figures) => println!("ok: {what}: {figures}"),
            Err(fault) => {
                self.failed += 1;
                println!("FAILED: {what}: {fault}");
            }
        }
    }

    fn end(&self) -> ExitCode {
        println!("{} checks failed", self.failed);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
