//! `local` as a process.

mod demo;
mod http_limits;
mod old_database;
mod process;
