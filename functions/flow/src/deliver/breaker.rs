//! The breaker of a route: while its target takes nothing, deliveries wait without using up their attempts, and one is
//! tried now and then. Failures are counted in the process; only a change of the route's health is written.

use models::{RouteId, Timestamp};
use runtime::{config::Config, store::health::RouteHealth};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// It opens when so many attempts failed and none succeeded,
const FAILURES: u32 = 20;
/// for so long.
const FAILING_SECONDS: u64 = 60;
const MOST_PROBE_SECONDS: u64 = 60;
/// The longest that a delivery waits for the breaker before it looks again.
const MOST_WAIT_SECONDS: u64 = 900;

/// The failures of each route since its last success.
#[derive(Default)]
pub struct Failures(Mutex<HashMap<RouteId, Run>>);

/// Failures with no success between.
#[derive(Debug, Clone, Copy)]
struct Run {
    count: u32,
    since: Timestamp,
}

impl Failures {
    pub fn succeeded(&self, route: &RouteId) {
        self.runs().remove(route);
    }

    /// Counts a failure. Since when there were nothing but failures, if there have been enough for the breaker to open.
    pub fn failed(&self, route: &RouteId, now: Timestamp) -> Option<Timestamp> {
        let mut runs = self.runs();
        let run = runs.entry(route.clone()).or_insert(Run { count: 0, since: now });
        run.count += 1;
        let opens = run.count >= FAILURES && now.millis_since(run.since) >= FAILING_SECONDS * 1000;
        opens.then_some(run.since)
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RouteId, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long there is between two probes.
pub fn probe_seconds(config: &Config) -> u64 {
    config.retry_schedule.iter().copied().max().unwrap_or(MOST_PROBE_SECONDS).min(MOST_PROBE_SECONDS)
}

/// When a delivery looks again that finds the breaker open: after as long again as it has been open.
pub fn look_again_at(config: &Config, health: &RouteHealth, now: Timestamp) -> Timestamp {
    let open_seconds = now.millis_since(health.since) / 1000;
    let wait = now.plus_seconds(open_seconds.clamp(probe_seconds(config), MOST_WAIT_SECONDS));
    wait.max(health.next_probe_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn it_opens_after_a_minute_and_twenty_failures_without_a_success() {
        let (failures, route) = (Failures::default(), RouteId::new(at(0), [1; 10]));
        for second in 0..19 {
            assert_eq!(failures.failed(&route, at(second)), None);
        }
        assert_eq!(failures.failed(&route, at(59)), None, "not for a minute yet");
        assert_eq!(failures.failed(&route, at(60)), Some(at(0)));
        failures.succeeded(&route);
        for second in 61..80 {
            assert_eq!(failures.failed(&route, at(second * 10)), None, "not twenty yet");
        }
        assert_eq!(failures.failed(&RouteId::new(at(0), [2; 10]), at(900)), None, "another route");
        assert_eq!(failures.failed(&route, at(900)), Some(at(610)));
    }
}
