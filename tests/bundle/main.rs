//! The workspace's integration tests.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test says what it expects by panicking")]

mod accept;
mod actions;
mod api;
mod catalog;
mod deliveries;
mod dispatch;
mod docs;
mod lambda;
mod local;
mod mcp;
mod platforms;
mod routes;
mod sandbox;
mod subscribers;
mod support;
mod template;
