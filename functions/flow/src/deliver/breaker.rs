//! Circuit breaker per route. While it is open, deliveries wait without using up their attempts, and one at a time is a
//! probe. Failures are counted in memory; only a change of the route's health is written.

use app::Config;
use models::{RouteId, Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use store::{health::RouteHealth, routes::EventRoute};

/// Number of failures in a row that opens the breaker.
const FAILURES: u32 = 20;
/// Minimum age of the first of them.
const FAILING_SECONDS: u64 = 60;
const MAX_PROBE_SECONDS: u64 = 60;
/// Longest wait between two checks of the breaker.
const MAX_WAIT_SECONDS: u64 = 900;

/// The failures of each route since its last success.
#[derive(Default)]
pub struct Failures(Mutex<HashMap<RouteId, Streak>>);

/// Failures in a row, of one version of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streak {
    version: u64,
    count: u32,
    pub since: Timestamp,
    /// True if every failure was caused by the event's content.
    pub by_content: bool,
}

impl Streak {
    const fn is_enough(&self) -> bool {
        self.count >= FAILURES
    }

    /// True for the failure that reaches the threshold.
    pub const fn is_just_enough(&self) -> bool {
        self.count == FAILURES
    }

    /// Time at which the breaker opens, unless an attempt succeeds.
    pub const fn opens_at(&self) -> Timestamp {
        self.since.plus_seconds(FAILING_SECONDS)
    }

    fn is_over(&self, known: Option<&RouteHealth>) -> bool {
        known.is_some_and(|known| !known.failing && known.since > self.since)
    }
}

impl Failures {
    /// Ends a streak, unless the success belongs to an earlier version of the route.
    pub fn succeeded(&self, route: &EventRoute) {
        let mut streaks = self.streaks();
        if streaks.get(&route.id).is_some_and(|streak| streak.version <= route.version) {
            streaks.remove(&route.id);
        }
    }

    /// Counts a failure, unless it belongs to an earlier version of the route. Returns the streak once it reaches the
    /// threshold. `known` reports a success in another process.
    pub fn failed(
        &self,
        route: &EventRoute,
        known: Option<&RouteHealth>,
        now: Timestamp,
        by_content: bool,
    ) -> Option<Streak> {
        let mut streaks = self.streaks();
        let new = Streak { version: route.version, count: 0, since: now, by_content };
        let streak = streaks.entry(route.id.clone()).or_insert(new);
        if route.version < streak.version {
            return None;
        }
        if streak.is_over(known) || streak.version != route.version {
            *streak = new;
        }
        streak.count += 1;
        streak.by_content &= by_content;
        streak.is_enough().then_some(*streak)
    }

    /// The streak of a route, once it reaches the threshold.
    pub fn streak(&self, route: &EventRoute, known: Option<&RouteHealth>) -> Option<Streak> {
        let streak = *self.streaks().get(&route.id)?;
        (streak.version == route.version && streak.is_enough() && !streak.is_over(known)).then_some(streak)
    }

    fn streaks(&self) -> MutexGuard<'_, HashMap<RouteId, Streak>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True once a failing route has to be disabled.
pub fn is_past(config: &Config, health: &RouteHealth, now: Timestamp) -> bool {
    disables_at(config, health).is_some_and(|at| now >= at)
}

/// Time at which a failing route is disabled, unless an attempt succeeds. None if `ROUTE_FAILS_DAYS` is 0.
pub fn disables_at(config: &Config, health: &RouteHealth) -> Option<Timestamp> {
    let seconds = config.route_fails_days * 86_400;
    (health.failing && seconds > 0).then(|| health.since.plus_seconds(seconds))
}

/// Seconds between two probes.
pub fn probe_seconds(config: &Config) -> u64 {
    config.retry_schedule.iter().copied().max().unwrap_or(MAX_PROBE_SECONDS).min(MAX_PROBE_SECONDS)
}

/// Next check of a delivery that finds the breaker open. It is a random time within a window as long as the breaker has
/// been open, so that some delivery checks whenever a probe is due.
pub fn next_check_at(config: &Config, health: &RouteHealth, now: Timestamp, chance: u8) -> Timestamp {
    let least = probe_seconds(config) * 1000;
    let most = now.millis_since(health.since).clamp(least, MAX_WAIT_SECONDS * 1000);
    Timestamp::from_millis(now.millis() + least + (most - least) * u64::from(chance) / 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::ConnectionId;
    use std::collections::BTreeMap;
    use store::routes::{ActionTarget, Target};

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
            disabled_reason: None,
            generation: 0,
            created_at: at(0),
            updated_at: at(0),
            expires_at: None,
            expires: None,
        }
    }

    fn health(failing: bool, since: u64) -> RouteHealth {
        let (since, next_probe_at) = (at(since), at(since));
        RouteHealth {
            id: route(1).id,
            v: 1,
            version: 1,
            failing,
            since,
            next_probe_at,
            by_content: false,
            expires: None,
        }
    }

    fn config<const N: usize>(settings: [(&str, &str); N]) -> Config {
        let tables = ["CONTROL_TABLE", "EVENTS_TABLE", "RECORDS_TABLE", "DELIVERIES_TABLE"];
        Config::read(&tables.map(|name| (name, "any")).into_iter().chain(settings).collect(), &[]).unwrap()
    }

    /// The streak after a failure that opens the breaker.
    fn opening(
        failures: &Failures,
        route: &EventRoute,
        known: Option<&RouteHealth>,
        now: Timestamp,
        by_content: bool,
    ) -> Option<Streak> {
        failures.failed(route, known, now, by_content).filter(|streak| now >= streak.opens_at())
    }

    fn since(streak: Option<Streak>) -> Option<Timestamp> {
        streak.map(|streak| streak.since)
    }

    #[test]
    fn it_opens_after_twenty_failures_over_a_minute_without_a_success() {
        let (failures, route) = (Failures::default(), route(1));
        for second in 0..19 {
            assert_eq!(opening(&failures, &route, None, at(second), false), None);
        }
        assert_eq!(opening(&failures, &route, None, at(59), false), None, "not for a minute yet");
        assert_eq!(since(opening(&failures, &route, None, at(60), false)), Some(at(0)));
        failures.succeeded(&route);
        for second in 61..80 {
            assert_eq!(opening(&failures, &route, None, at(second * 10), false), None, "not twenty yet");
        }
        assert_eq!(opening(&failures, &self::route(2), None, at(900), false), None, "another route");
        assert_eq!(since(opening(&failures, &route, None, at(900), false)), Some(at(610)));
    }

    #[test]
    fn a_success_elsewhere_or_a_new_version_resets_the_streak() {
        let (failures, route) = (Failures::default(), route(1));
        for second in 0..25 {
            opening(&failures, &route, None, at(second * 4), false);
        }
        assert_eq!(opening(&failures, &route, Some(&health(false, 50)), at(100), false), None);
        assert_eq!(
            opening(&failures, &route, Some(&health(false, 50)), at(200), false),
            None,
            "since the recovery, two"
        );
        let (failures, changed) = (Failures::default(), EventRoute { version: 2, ..route.clone() });
        for second in 0..25 {
            opening(&failures, &route, None, at(second * 4), false);
        }
        assert_eq!(opening(&failures, &changed, None, at(100), false), None);
    }

    #[test]
    fn outcomes_of_an_earlier_version_do_not_count() {
        let (failures, old) = (Failures::default(), route(1));
        let new = EventRoute { version: 2, ..old.clone() };
        for second in 0..25 {
            assert_eq!(opening(&failures, &new, None, at(second), false), None);
            assert_eq!(opening(&failures, &old, None, at(second), false), None);
        }
        assert_eq!(opening(&failures, &old, None, at(90), false), None, "a late failure of the old target");
        failures.succeeded(&old);
        assert_eq!(since(opening(&failures, &new, None, at(60), false)), Some(at(0)), "nor does a late success end it");
    }

    #[test]
    fn a_streak_is_by_content_if_every_failure_is() {
        for (odd, by_content) in [(None, true), (Some(0), false), (Some(7), false), (Some(19), false)] {
            let (failures, route) = (Failures::default(), route(1));
            let mut streak = None;
            for n in 0..20 {
                streak = opening(&failures, &route, None, at(n * 60), odd != Some(n));
            }
            assert_eq!(streak.map(|streak| streak.by_content), Some(by_content), "{odd:?}");
        }
    }

    #[test]
    fn a_failing_route_is_disabled_after_route_fails_days_unless_it_is_0() {
        for (days, seconds) in [("5", Some(432_000)), ("1", Some(86_400)), ("0", None)] {
            let config = config([("ROUTE_FAILS_DAYS", days)]);
            let health = health(true, 1_000);
            assert_eq!(disables_at(&config, &health), seconds.map(|seconds| at(1_000 + seconds)), "{days}");
            assert!(!is_past(&config, &health, at(1_000 + seconds.unwrap_or(0) - u64::from(seconds.is_some()))));
            assert_eq!(is_past(&config, &health, at(1_000 + seconds.unwrap_or(9_000_000))), seconds.is_some());
            assert_eq!(disables_at(&config, &self::health(false, 1_000)), None);
        }
    }

    #[test]
    fn a_waiting_delivery_checks_within_the_breakers_window() {
        for (schedule, open_for, least, most) in [
            ("5,300", 90, 60, 90),
            ("5,300", 10, 60, 60),
            ("5,300", 5_000, 60, 900),
            ("5", 90, 5, 90),
            ("0", 90, 0, 90),
        ] {
            let (config, now) = (config([("RETRY_SCHEDULE", schedule)]), at(1_000 + open_for));
            let wait = |chance| next_check_at(&config, &health(true, 1_000), now, chance).millis_since(now) / 1000;
            assert_eq!((wait(0), wait(255)), (least, most), "{schedule} {open_for}");
        }
    }
}
