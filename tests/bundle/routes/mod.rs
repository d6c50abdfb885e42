//! Routes: management, headers, secrets.

mod aws_targets;
mod headers;
mod large_headers;
mod manage;
mod secrets;
