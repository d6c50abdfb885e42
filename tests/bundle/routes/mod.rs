//! Routes: management, headers, secrets.

mod headers;
mod large_headers;
mod manage;
mod secrets;
