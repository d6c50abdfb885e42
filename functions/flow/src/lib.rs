//! What happens to an event once it is stored, and how it leaves. Architecture invariant: nothing here knows a platform; an
//! event carries how it is read.

mod batch;
pub mod dead_letters;
pub mod deliver;
pub mod dispatch;
pub mod due;
pub mod erasure;
pub mod expression;
pub mod fan_out;
pub mod guard;
pub mod own_events;
pub mod pending;
pub mod request;
mod versions;
pub mod webhook;

use runtime::Problem;
use std::error::Error;

/// The queue of deliveries could not be reached.
#[derive(Debug, thiserror::Error)]
#[error("the queue of deliveries could not be reached")]
pub struct Unsent(#[source] Box<dyn Error + Send + Sync>);

impl From<Unsent> for Problem {
    fn from(error: Unsent) -> Self {
        Self::internal(error)
    }
}
