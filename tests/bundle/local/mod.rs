//! `local` as a process.

mod demo;
mod http_limits;
mod old_database;
#[cfg(target_os = "linux")]
mod power_cut;
mod process;
