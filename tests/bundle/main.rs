//! The workspace's integration tests.

mod accept;
mod crash;
mod dedupe;
mod dispatch;
mod process;
mod readme;
mod stage;
mod statements;
mod template;
