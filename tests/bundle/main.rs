//! The workspace's integration tests.

mod accept;
mod crash;
mod process;
mod statements;
mod template;
