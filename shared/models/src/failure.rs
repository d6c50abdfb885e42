//! Failures of the layers that know no HTTP. The kind of a failure decides the answer to the caller.

use std::{error::Error, iter};

/// Kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Optimistic-lock conflict: another write came first. Nothing was written.
    Conflict,
    /// An AWS service that holds data is unavailable or throttles. A retry may succeed.
    StoreUnavailable(Service),
    /// CloudWatch could not be read.
    MetricsUnavailable,
    /// An internal error. Its cause goes to the log alone.
    Internal,
}

/// An AWS service that holds data or keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    DynamoDb,
    Kms,
}

/// An error of a layer below HTTP.
pub trait Failure: Error + Send + Sync + 'static {
    fn kind(&self) -> FailureKind;
}

/// An error and its cause chain, for the log.
pub fn causes(error: &dyn Error) -> String {
    iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
