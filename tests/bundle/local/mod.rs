//! `local` as a process.

mod http_limits;
mod old_database;
mod process;
