//! CPU time and memory of a process, from `/proc`.
//!
//! <https://man7.org/linux/man-pages/man5/proc.5.html>

use crate::BoxError;
use std::fs;

/// `sysconf(_SC_CLK_TCK)`, which is the same on all Linux systems.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of a process, in seconds, with that of threads that have ended.
pub fn cpu(process: u32) -> Result<f64, BoxError> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field, the name in parentheses, may contain spaces.
    let (_, fields) = stat.rsplit_once(") ").ok_or("no name in stat")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// Peak resident memory of a process, in MiB.
pub fn peak_mib(process: u32) -> Result<f64, BoxError> {
    mib(process, "VmHWM:")
}

/// Resident memory of a process, in MiB.
pub fn resident_mib(process: u32) -> Result<f64, BoxError> {
    mib(process, "VmRSS:")
}

fn mib(process: u32, name: &str) -> Result<f64, BoxError> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    Ok(line.trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
