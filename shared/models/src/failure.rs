//! Failures of the layers that know no HTTP, by the answer that they lead to.

use std::{error::Error, iter};

/// The kind of a failure, from which its answer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Another change came first. Nothing was written.
    Conflict,
    /// An AWS service that holds data did not answer, or refused for now. A repetition may succeed.
    StoreUnavailable(Service),
    /// CloudWatch could not be read.
    MetricsUnavailable,
    /// A fault of ours, whose cause only the log gets.
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

/// An error and its causes, for the log.
pub fn causes(error: &dyn Error) -> String {
    iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
