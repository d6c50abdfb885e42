//! Processing of stored events: dispatch, routes and deliveries. Architecture invariant: no code here knows a platform.
//! An event carries its own reading.

pub mod aws_target;
mod batch;
pub mod dead_letters;
pub mod deliver;
pub mod dispatch;
pub mod due;
pub mod erasure;
pub mod fan_out;
pub mod mcp;
pub mod own_events;
pub mod pending;
pub mod request;
mod route_cache;

use models::{Failure, FailureKind};
use std::error::Error;

/// The delivery queue is unavailable.
#[derive(Debug, thiserror::Error)]
#[error("the delivery queue is unavailable")]
pub struct QueueUnavailable(#[source] Box<dyn Error + Send + Sync>);

impl Failure for QueueUnavailable {
    fn kind(&self) -> FailureKind {
        FailureKind::Internal
    }
}
