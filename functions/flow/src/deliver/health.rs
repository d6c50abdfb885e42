//! Consequences of attempts for a route: its breaker opens or closes, or the route is disabled.

use super::{
    Deliverer,
    attempt::Verdict,
    breaker::{self, Streak},
    is_written,
};
use crate::{
    QueueUnavailable,
    own_events::{self, Recovery},
};
use app::App;
use models::{
    DeliveryId, RouteId,
    delivery::{Message, Reason},
};
use store::{
    StoreError,
    delivery_inputs::DeliveryInputs,
    health::RouteHealth,
    routes::{DisabledReason, EventRoute},
};
use web::Problem;

/// Retry limit for optimistic-lock conflicts on a route or its health.
const ATTEMPTS: usize = 5;

impl Deliverer {
    /// Records the outcome of an attempt in the health of its route.
    pub(super) async fn write_health(
        &self,
        app: &App,
        route: &EventRoute,
        known: Option<RouteHealth>,
        (delivery, verdict): (&DeliveryId, Verdict),
    ) -> Result<(), Problem> {
        let by_content = match verdict {
            Verdict::Succeeded => {
                self.failures.succeeded(route);
                return change(app, route, known, None).await;
            }
            Verdict::Failed(_) => false,
            Verdict::Dead(reason) => is_for_content(reason),
            Verdict::Gone { .. } | Verdict::Busy => return Ok(()),
        };
        let streak = self.failures.failed(route, known.as_ref(), app.now(), by_content);
        match known {
            Some(health) if !route.is_subscription() && breaker::is_past(&app.config, &health, app.now()) => {
                disable(app, route, DisabledReason::Failing).await.map(drop)
            }
            known => match streak {
                Some(streak) if app.now() >= streak.opens_at() => change(app, route, known, Some(streak)).await,
                Some(streak) if streak.is_just_enough() => check_later(app, route, delivery, streak).await,
                _ => Ok(()),
            },
        }
    }

    /// Opens the breaker of a route whose streak of failures is old enough by now, without a further attempt.
    pub(super) async fn check_streak(
        &self,
        app: &App,
        route: &RouteId,
        inputs: &DeliveryInputs,
    ) -> Result<(), Problem> {
        let Some(route) = inputs.route(route)? else { return Ok(()) };
        let known = inputs.health(&route.id)?;
        match self.failures.streak(&route, known.as_ref()) {
            Some(streak) if app.now() >= streak.opens_at() => change(app, &route, known, Some(streak)).await,
            _ => Ok(()),
        }
    }
}

/// Sends one more message for a delivery, to check the streak once it is old enough. Dead deliveries make no further
/// attempt, and no other delivery may come for days.
async fn check_later(app: &App, route: &EventRoute, delivery: &DeliveryId, streak: Streak) -> Result<(), Problem> {
    let Some(queue) = app.queue() else { return Ok(()) };
    let (delivery, route) = (delivery.clone(), route.id.clone());
    let message = Message { delivery, route, at: streak.opens_at(), is_first: false };
    Ok(queue.send(vec![message]).await.map_err(QueueUnavailable)?)
}

/// True if a delivery is dead because of its event's content, so that other events may succeed.
const fn is_for_content(reason: Reason) -> bool {
    match reason {
        Reason::Unmappable | Reason::ActionRefused | Reason::TargetRefused | Reason::TooLarge | Reason::Loop => true,
        Reason::AttemptsUsedUp
        | Reason::UnknownOutcome
        | Reason::TargetGone
        | Reason::RouteDeleted
        | Reason::RouteDisabled
        | Reason::EventExpired
        | Reason::PersonErased => false,
    }
}

/// Opens the breaker of a route, given a streak of failures; closes it, given none. Does nothing if the breaker is in that
/// state already, or if the route has changed since the attempt.
async fn change(
    app: &App,
    route: &EventRoute,
    mut known: Option<RouteHealth>,
    streak: Option<Streak>,
) -> Result<(), Problem> {
    let now = app.now();
    for _ in 0..ATTEMPTS {
        if known.as_ref().is_some_and(|known| known.failing) == streak.is_some() {
            return Ok(());
        }
        let health = RouteHealth {
            id: route.id.clone(),
            v: 1,
            version: known.map_or(0, |known| known.version),
            failing: streak.is_some(),
            since: streak.map_or(now, |streak| streak.since),
            next_probe_at: now.plus_seconds(breaker::probe_seconds(&app.config)),
            by_content: streak.is_some_and(|streak| streak.by_content),
            expires: route.expires,
        };
        let event = match streak {
            _ if route.is_subscription() => None,
            Some(_) => Some(own_events::of_failing(app, route, &health)),
            None => Some(own_events::of_recovered(app, route, &health, Recovery::Succeeded)),
        };
        if is_written(app.store.change_health(&health, route, event.as_ref()).await)? {
            tracing::warn!(route = route.id.as_str(), failing = health.failing, "the health of a route changed");
            return Ok(());
        }
        if !is_same(app, route, streak.is_some()).await? {
            return Ok(());
        }
        known = app.store.find(route.id.as_str()).await?;
    }
    Err(StoreError::Condition(None).into())
}

/// True if the route has the attempt's generation and, with `is_unchanged`, its version.
async fn is_same(app: &App, attempted: &EventRoute, is_unchanged: bool) -> Result<bool, StoreError> {
    let found: Option<EventRoute> = app.store.find(attempted.id.as_str()).await?;
    Ok(found.is_some_and(|found| {
        found.generation == attempted.generation && (!is_unchanged || found.version == attempted.version)
    }))
}

/// Disables a route, unless it has recovered, or has been enabled or given a new target since the attempt. Returns
/// false in the latter two cases: the attempt no longer counts for the route.
pub(super) async fn disable(app: &App, attempted: &EventRoute, reason: DisabledReason) -> Result<bool, Problem> {
    for _ in 0..ATTEMPTS {
        let found: Option<EventRoute> = app.store.find(attempted.id.as_str()).await?;
        let Some(mut route) = found else { return Ok(true) };
        if route.generation != attempted.generation {
            return Ok(false);
        }
        if !route.enabled {
            return Ok(true);
        }
        let health = match reason {
            DisabledReason::TargetGone | DisabledReason::HookDeleted => None,
            DisabledReason::Failing => {
                let found: Option<RouteHealth> = app.store.find(attempted.id.as_str()).await?;
                let Some(health) = found.filter(|health| breaker::is_past(&app.config, health, app.now())) else {
                    return Ok(true);
                };
                Some(health)
            }
        };
        (route.enabled, route.disabled_reason, route.updated_at) = (false, Some(reason), app.now());
        let event = own_events::of_disabled(app, &route, reason, health.as_ref());
        if is_written(app.store.disable_route(&mut route, health.as_ref(), &event).await)? {
            tracing::warn!(route = route.id.as_str(), ?reason, "a route was disabled");
            return Ok(true);
        }
    }
    Err(StoreError::Condition(None).into())
}
