//! What happens to an event once it is stored, and how it leaves. Architecture invariant: nothing here knows a platform; an
//! event carries how it is read.

mod batch;
pub mod dead_letters;
pub mod deliver;
pub mod dispatch;
pub mod due;
pub mod erasure;
pub mod fan_out;
pub mod own_events;
pub mod pending;
pub mod request;
mod versions;

use models::{Failure, FailureKind};
use std::error::Error;

/// The queue of deliveries could not be reached.
#[derive(Debug, thiserror::Error)]
#[error("the queue of deliveries could not be reached")]
pub struct Unsent(#[source] Box<dyn Error + Send + Sync>);

impl Failure for Unsent {
    fn kind(&self) -> FailureKind {
        FailureKind::Internal
    }
}
