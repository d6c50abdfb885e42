//! Deadline of an invocation, shared by its requests to AWS and to platforms. It is one second before Lambda ends the
//! process. So a function still answers, logs and counts if its store stalls.

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep, TokioSleep};
use models::Timestamp;
use std::time::Duration;
use tokio::{task::futures::TaskLocalFuture, time::Instant};

tokio::task_local! {
    static DEADLINE: Option<Instant>;
}

/// Time that a function has left for its answer after the deadline.
pub const MARGIN: Duration = Duration::from_secs(1);

/// Runs an invocation with its deadline. `ends` is the instant at which Lambda ends it, in milliseconds since 1970.
///
/// `cargo lambda watch` passes an instant of 1970 with every invocation; a past instant sets no deadline.
pub fn scope<F: Future>(ends: u64, now: Timestamp, invocation: F) -> TaskLocalFuture<Option<Instant>, F> {
    let left = ends.checked_sub(now.millis()).map(Duration::from_millis);
    DEADLINE.scope(left.map(|left| Instant::now() + left.saturating_sub(MARGIN)), invocation)
}

/// A time limit, shortened to the invocation's remaining time minus a reserve for the requests that follow.
pub fn within(limit: Duration, reserve: Duration) -> Duration {
    let deadline = DEADLINE.try_with(|deadline| *deadline).ok().flatten();
    deadline
        .map_or(limit, |deadline| limit.min(deadline.saturating_duration_since(Instant::now()).saturating_sub(reserve)))
}

/// Timer of the AWS clients. Their time limits and their waits between attempts end at the deadline.
#[derive(Debug)]
pub(crate) struct Timer;

impl AsyncSleep for Timer {
    fn sleep(&self, duration: Duration) -> Sleep {
        TokioSleep::new().sleep(within(duration, Duration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const LIMIT: Duration = Duration::from_secs(20);

    /// The limit, in seconds, within an invocation that ends at this time.
    async fn limit_at(ends: u64) -> u64 {
        let limit = scope(ends, NOW, async { within(LIMIT, Duration::from_secs(2)) }).await;
        (limit + Duration::from_millis(500)).as_secs()
    }

    #[tokio::test]
    async fn a_timeout_ends_before_the_invocation() {
        assert_eq!(within(LIMIT, Duration::ZERO), LIMIT, "outside an invocation");
        assert_eq!(limit_at(NOW.millis() + 29_000).await, 20);
        assert_eq!(limit_at(NOW.millis() + 10_000).await, 7);
        assert_eq!(limit_at(NOW.millis() + 500).await, 0);
        assert_eq!(limit_at(600_000).await, 20, "under `cargo lambda watch`");
    }

    #[tokio::test]
    async fn an_aws_clients_wait_ends_at_the_deadline() {
        let started = Instant::now();
        scope(NOW.millis() + 1_100, NOW, async {
            Timer.sleep(LIMIT).await;
            Timer.sleep(LIMIT).await;
        })
        .await;
        let waited = started.elapsed();
        assert!(waited >= Duration::from_millis(100) && waited < LIMIT, "{waited:?}");
    }
}
