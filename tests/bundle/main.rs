//! The workspace's integration tests.

mod accept;
