//! Comparison of memory over the run.
//!
//! A kill frees all memory. So a leak shows only within one lifetime, and what grows with the database only between
//! lifetimes of equal age. The first and the last quarter of a run have one lifetime each, which begins with a kill and a pause
//! under load: a backlog takes more memory than the steady load, and leaves its heap fragmented. Their first third is warm-up:
//! caches fill, and the backlog is delivered. Of the rest, three pairs of windows are compared by their highest sample: the
//! second with the first window of each lifetime, and the last lifetime with the first one.

use std::{collections::BTreeSet, time::Duration};

/// Length of the shortest run whose windows are long enough to be compared, in seconds.
pub const COMPARED_SECONDS: u64 = 600;
/// The most growth between two windows.
const MAX_GROWTH: f64 = 0.05;
/// The most resident memory at any time, also just after a kill.
const MAX_MIB: f64 = 100.0;

/// Resident memory at a time since the start of the load.
pub struct Sample {
    pub at: Duration,
    /// Number of the process.
    pub process: usize,
    pub mib: f64,
}

pub fn within_limit(peak_mib: f64) -> Result<String, String> {
    let figures = format!("at most {peak_mib:.1} MiB, {MAX_MIB} are allowed");
    if peak_mib <= MAX_MIB { Ok(figures) } else { Err(figures) }
}

pub const fn can_compare(length: Duration) -> bool {
    length.as_secs() >= COMPARED_SECONDS
}

pub fn flat(samples: &[Sample], length: Duration) -> Result<String, String> {
    // Windows in twelfths of the run.
    let highest = |from: u32, until: u32| {
        let is_in = |sample: &&Sample| sample.at >= length * from / 12 && sample.at < length * until / 12;
        let window: Vec<&Sample> = samples.iter().filter(is_in).collect();
        let processes: BTreeSet<usize> = window.iter().map(|sample| sample.process).collect();
        let most = window.iter().map(|sample| sample.mib).fold(0.0, f64::max);
        if processes.len() == 1 { Ok(most) } else { Err(format!("{} processes in one lifetime", processes.len())) }
    };
    let windows = [highest(1, 2)?, highest(2, 3)?, highest(10, 11)?, highest(11, 12)?];
    let [first, second, third, fourth] = windows;
    let growths = [second / first, fourth / third, third.max(fourth) / first.max(second)].map(|ratio| ratio - 1.0);
    let figures = format!(
        "{} MiB in the windows of the first and the last lifetime; growth {} of {:.0} % allowed",
        windows.map(|mib| format!("{mib:.1}")).join(", "),
        growths.map(|growth| format!("{:.1} %", growth * 100.0)).join(", "),
        MAX_GROWTH * 100.0
    );
    if growths.iter().all(|growth| *growth <= MAX_GROWTH) { Ok(figures) } else { Err(figures) }
}
