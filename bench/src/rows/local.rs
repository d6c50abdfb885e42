//! Throughput of `local`, as started by `make run`.

use crate::{
    BoxError, proc,
    setup::{body, path, spawn_local},
    table::Table,
};
use futures::future::try_join_all;
use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tests::{ADMIN_KEY, Api};

const ROUNDS: usize = 3;
const ACCEPTS: usize = 1_500;

pub async fn accept(table: &mut Table) -> Result<(), BoxError> {
    for (kind, what) in [("file", "on file"), ("memory", "in memory")] {
        for connections in [1, 32] {
            let (mut rates, mut p50, mut p99, mut mib) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
            for _ in 0..ROUNDS {
                let round = round(kind == "file", connections).await?;
                rates.push(ACCEPTS as f64 / round.elapsed.as_secs_f64());
                p50.push(round.percentile(50));
                p99.push(round.percentile(99));
                mib = mib.max(round.mib);
            }
            let (name, what) =
                (format!("local.{kind}.{connections}"), format!("`local` {what}, {connections} at once"));
            table.median("local", &format!("{name}.rate"), &format!("{what}: accepts a second"), rates, "");
            table.median("local", &format!("{name}.p50"), &format!("{what}: p50"), p50, "ms");
            table.median("local", &format!("{name}.p99"), &format!("{what}: p99"), p99, "ms");
            table.count("local", &format!("{name}.mib"), &format!("{what}: the most memory"), mib, "MiB");
        }
    }
    Ok(())
}

struct Round {
    elapsed: Duration,
    /// Sorted.
    latencies: Vec<Duration>,
    mib: f64,
}

impl Round {
    fn percentile(&self, percent: usize) -> f64 {
        self.latencies[(self.latencies.len() - 1) * percent / 100].as_secs_f64() * 1e3
    }
}

async fn round(on_file: bool, connections: usize) -> Result<Round, BoxError> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let data_dir = if on_file { path(&data)? } else { ":memory:" };
    let settings = [("PORT", "0"), ("DATA_DIR", data_dir), ("LOG_FORMAT", "pretty")];
    let mut local = spawn_local(&env::current_exe()?.with_file_name("local"), folder.path(), &settings);
    let api = Api::new(&local.listening(), ADMIN_KEY);
    let hook = api.hook("botstar.watch-checkpoint-record").await;
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    let latencies = try_join_all((0..connections).map(|_| post(&api, &hook.url, &next))).await?;
    let elapsed = started.elapsed();
    let mut latencies = latencies.concat();
    latencies.sort_unstable();
    let mib = proc::peak_mib(local.id())?;
    Ok(Round { elapsed, latencies, mib })
}

async fn post(api: &Api, url: &str, next: &AtomicUsize) -> Result<Vec<Duration>, BoxError> {
    let mut latencies = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= ACCEPTS {
            return Ok(latencies);
        }
        let posted = Instant::now();
        let answer = api.send(url, body(number, 0)).await;
        if answer.status != 200 {
            return Err(answer.text.into());
        }
        latencies.push(posted.elapsed());
    }
}
