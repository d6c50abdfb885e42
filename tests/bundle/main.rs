//! The workspace's integration tests.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test says what it expects by panicking")]

mod accept;
mod actions;
mod api;
mod asks;
mod aws;
mod deliveries;
mod deployment;
mod dispatch;
mod docs;
mod iam;
mod lambda;
mod local;
mod platforms;
mod rights_walk;
mod routes;
mod sandbox;
mod statements;
mod subscribers;
mod support;
mod template;
mod template_parameters;
mod template_rights;
