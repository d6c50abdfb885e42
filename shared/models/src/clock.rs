//! The clock and random bytes. The clock is passed in, so that tests can set the time.

use crate::{Failure, FailureKind, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Failure of the system's random number generator. Nothing that needs a secret or an id can continue.
#[derive(Debug, thiserror::Error)]
#[error("cannot read random bytes from the system: {0}")]
pub struct NoRandom(getrandom::Error);

/// Reads random bytes from the system's generator.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandom)?;
    Ok(bytes)
}

impl Failure for NoRandom {
    fn kind(&self) -> FailureKind {
        FailureKind::Internal
    }
}
