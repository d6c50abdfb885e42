//! The breaker of a route: while its target takes nothing, deliveries wait without using up their attempts, and one is
//! tried now and then. Failures are counted in the process; only a change of the route's health is written.

use models::{RouteId, Timestamp};
use runtime::{
    config::Config,
    store::{health::RouteHealth, routes::EventRoute},
};
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

/// Failures with no success between, of one version of a route.
#[derive(Debug, Clone, Copy)]
struct Run {
    version: u64,
    count: u32,
    since: Timestamp,
}

impl Failures {
    pub fn succeeded(&self, route: &EventRoute) {
        self.runs().remove(&route.id);
    }

    /// Counts a failure. Since when there were nothing but failures, if there have been enough for the breaker to open.
    /// A success that another process had is in the route's health.
    pub fn failed(&self, route: &EventRoute, known: Option<&RouteHealth>, now: Timestamp) -> Option<Timestamp> {
        let mut runs = self.runs();
        let new = Run { version: route.version, count: 0, since: now };
        let run = runs.entry(route.id.clone()).or_insert(new);
        let recovered = known.is_some_and(|known| !known.failing && known.since > run.since);
        if recovered || run.version != route.version {
            *run = new;
        }
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

/// When a delivery looks again that finds the breaker open: by chance, within as long again as it has been open. So one
/// or another comes whenever it is time for a probe.
pub fn look_again_at(config: &Config, health: &RouteHealth, now: Timestamp, chance: u8) -> Timestamp {
    let least = probe_seconds(config) * 1000;
    let most = now.millis_since(health.since).clamp(least, MOST_WAIT_SECONDS * 1000);
    Timestamp::from_millis(now.millis() + least + (most - least) * u64::from(chance) / 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::ConnectionId;
    use runtime::store::routes::{ActionTarget, Target};
    use std::collections::BTreeMap;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn route(id: u8) -> EventRoute {
        let connection = ConnectionId::new(at(0), [0; 10]);
        let target =
            ActionTarget { action: String::new(), keyed: true, effect: None, connection, input: BTreeMap::new() };
        EventRoute {
            id: RouteId::new(at(0), [id; 10]),
            v: 1,
            version: 1,
            name: String::new(),
            events: Vec::new(),
            hook: None,
            connection: None,
            filter: None,
            target: Target::Action(target),
            enabled: true,
            created_at: at(0),
            updated_at: at(0),
        }
    }

    fn health(failing: bool, since: u64) -> RouteHealth {
        RouteHealth { id: route(1).id, v: 1, version: 1, failing, since: at(since), next_probe_at: at(since) }
    }

    #[test]
    fn it_opens_after_a_minute_and_twenty_failures_without_a_success() {
        let (failures, route) = (Failures::default(), route(1));
        for second in 0..19 {
            assert_eq!(failures.failed(&route, None, at(second)), None);
        }
        assert_eq!(failures.failed(&route, None, at(59)), None, "not for a minute yet");
        assert_eq!(failures.failed(&route, None, at(60)), Some(at(0)));
        failures.succeeded(&route);
        for second in 61..80 {
            assert_eq!(failures.failed(&route, None, at(second * 10)), None, "not twenty yet");
        }
        assert_eq!(failures.failed(&self::route(2), None, at(900)), None, "another route");
        assert_eq!(failures.failed(&route, None, at(900)), Some(at(610)));
    }

    #[test]
    fn what_another_process_found_healthy_or_someone_has_changed_is_counted_anew() {
        let (failures, route) = (Failures::default(), route(1));
        for second in 0..25 {
            failures.failed(&route, None, at(second * 4));
        }
        assert_eq!(failures.failed(&route, Some(&health(false, 50)), at(100)), None);
        assert_eq!(failures.failed(&route, Some(&health(false, 50)), at(200)), None, "since the recovery, two");
        let (failures, changed) = (Failures::default(), EventRoute { version: 2, ..route.clone() });
        for second in 0..25 {
            failures.failed(&route, None, at(second * 4));
        }
        assert_eq!(failures.failed(&changed, None, at(100)), None);
    }

    #[test]
    fn what_waits_looks_again_between_a_probe_and_as_long_again() {
        let config = |schedule| {
            let tables = ["CONTROL_TABLE", "EVENTS_TABLE", "RECORDS_TABLE", "DELIVERIES_TABLE"];
            let settings = tables.map(|name| (name, "any")).into_iter().chain([("RETRY_SCHEDULE", schedule)]);
            Config::read(&settings.collect(), &[]).unwrap()
        };
        for (schedule, open_for, least, most) in [
            ("5,300", 90, 60, 90),
            ("5,300", 10, 60, 60),
            ("5,300", 5_000, 60, 900),
            ("5", 90, 5, 90),
            ("0", 90, 0, 90),
        ] {
            let (config, now) = (config(schedule), at(1_000 + open_for));
            let wait = |chance| look_again_at(&config, &health(true, 1_000), now, chance).millis_since(now) / 1000;
            assert_eq!((wait(0), wait(255)), (least, most), "{schedule} {open_for}");
        }
    }
}
