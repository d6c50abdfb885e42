//! The workspace's integration tests.

mod accept;
mod crash;
mod dedupe;
mod process;
mod readme;
mod stage;
mod statements;
mod template;
