//! The workspace's integration tests.

mod accept;
mod crash;
mod dedupe;
mod dispatch;
mod erase;
mod lists;
mod process;
mod readme;
mod remap;
mod stage;
mod statements;
mod template;
