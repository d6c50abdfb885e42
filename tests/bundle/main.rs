//! The workspace's integration tests.

mod accept;
mod crash;
mod process;
mod readme;
mod statements;
mod template;
