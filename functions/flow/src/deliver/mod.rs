//! Delivers: takes a delivery that is due, calls its route's target once, and writes what came of it. What is written is
//! written on condition that nothing else has changed the delivery, so two workers at one delivery end as one, and what
//! follows, another message or an event, is sent by the one that wrote.

pub mod actions;
mod attempt;
mod breaker;
mod lambda;

use crate::{
    own_events, pending,
    request::{ReadyTarget, Unprepared},
    versions::ByVersion,
    webhook::WebhookClient,
};
use actions::Actions;
use attempt::Verdict;
use breaker::Failures;
use models::{
    DeliveryId, DeliveryState, StoredDelivery, StoredEvent, Timestamp,
    delivery::{Attempt, Reason},
};
use runtime::{
    App, Problem,
    clock::random,
    store::{StoreError, health::RouteHealth, routes::EventRoute},
};
use std::{slice, sync::Arc};

pub use lambda::serve;

/// How long a delivery waits that another worker is at.
const BUSY_SECONDS: u64 = 60;
/// How often the disabling of a route is tried anew when something else changes the route.
const ATTEMPTS: usize = 5;

pub struct Deliverer {
    client: WebhookClient,
    actions: Box<dyn Actions>,
    targets: ByVersion<ReadyTarget>,
    failures: Failures,
}

/// A delivery with what it is of.
struct Due {
    delivery: StoredDelivery,
    route: EventRoute,
    event: StoredEvent,
    health: Option<RouteHealth>,
}

impl Deliverer {
    pub fn new(app: &App, actions: Box<dyn Actions>) -> Result<Self, reqwest::Error> {
        let client = WebhookClient::new(crate::guard::Guard::new(app.config.delivery_allow_cidrs.clone()))?;
        Ok(Self { client, actions, targets: ByVersion::default(), failures: Failures::default() })
    }

    /// Looks at a delivery, and attempts it if it is due. An error says that it is to be looked at again.
    pub async fn deliver(&self, app: &App, id: &DeliveryId) -> Result<(), Problem> {
        let Some(delivery) = app.store.delivery(id).await? else { return Ok(()) };
        let Some(next_attempt_at) = delivery.next_attempt_at else { return Ok(()) };
        if app.now() < next_attempt_at {
            return Ok(pending::send(app, slice::from_ref(&delivery)).await?);
        }
        let (route, event, health) = futures::try_join!(
            app.store.find::<EventRoute>(delivery.route.as_str()),
            app.store.event(&delivery.event),
            app.store.find::<RouteHealth>(delivery.route.as_str()),
        )?;
        let skipped = match (&route, &event) {
            (None, _) => Some(Reason::RouteDeleted),
            (Some(route), _) if !route.enabled => Some(Reason::RouteDisabled),
            (_, None) => Some(Reason::EventExpired),
            (_, Some(event)) if event.is_erased() => Some(Reason::PersonErased),
            _ => None,
        };
        match (route, event) {
            (Some(route), Some(event)) if skipped.is_none() => {
                self.pass_breaker(app, Due { delivery, route, event, health }).await
            }
            _ => end(app, delivery, DeliveryState::Skipped, skipped).await,
        }
    }

    /// Attempts a delivery unless the breaker of its route is open and it is not the one to try.
    async fn pass_breaker(&self, app: &App, mut due: Due) -> Result<(), Problem> {
        if let Some(health) = due.health.as_mut().filter(|health| health.failing) {
            let now = app.now();
            let look_again_at = breaker::look_again_at(&app.config, health, now);
            let may_probe = now >= health.next_probe_at;
            health.next_probe_at = now.plus_seconds(breaker::probe_seconds(&app.config));
            if !may_probe || !is_written(app.store.update(health).await)? {
                return wait(app, due.delivery, jittered(now, look_again_at)?).await;
            }
        }
        self.attempt_due(app, due).await
    }

    async fn attempt_due(&self, app: &App, due: Due) -> Result<(), Problem> {
        let Due { mut delivery, route, event, health } = due;
        let opened = event.open().map_err(StoreError::from)?;
        let envelope = opened.envelope().map_err(StoreError::from)?;
        let (verdict, attempt) = match self.target(app, &route).await?.prepare(app.now(), &envelope) {
            Ok(prepared) => self.attempt(app, &delivery, prepared).await?,
            Err(Unprepared::Event(words)) => (Verdict::Dead(Reason::Unmappable), unsent(app.now(), words)),
            Err(Unprepared::Problem(problem)) => return Err(problem),
        };
        log(&delivery, &verdict, &attempt);
        if verdict == Verdict::Busy {
            return wait(app, delivery, app.now().plus_seconds(BUSY_SECONDS)).await;
        }
        delivery.attempted(attempt);
        self.note_health(app, &route, health, &verdict).await?;
        match verdict {
            Verdict::Succeeded => end(app, delivery, DeliveryState::Succeeded, None).await,
            Verdict::Gone { taken } => {
                disable(app, &route).await?;
                let (state, reason) = match taken {
                    true => (DeliveryState::Succeeded, None),
                    false => (DeliveryState::Skipped, Some(Reason::TargetGone)),
                };
                end(app, delivery, state, reason).await
            }
            Verdict::Dead(reason) => die(app, &route, &event, delivery, reason).await,
            Verdict::Failed(not_before) => match next_attempt_at(app, &delivery, not_before)? {
                Some(at) => wait(app, delivery, at).await,
                None => die(app, &route, &event, delivery, Reason::AttemptsUsedUp).await,
            },
            Verdict::Busy => Ok(()),
        }
    }

    /// A route's target, ready to be used; a process makes it once of each version of the route.
    async fn target(&self, app: &App, route: &EventRoute) -> Result<Arc<ReadyTarget>, Problem> {
        if let Some(target) = self.targets.get(&route.id, route.version) {
            return Ok(target);
        }
        let target = ReadyTarget::open(app, route).await?;
        Ok(self.targets.put(route.id.clone(), route.version, target))
    }

    /// Opens or closes the breaker of a route. If another process has changed its health meanwhile, that one has done so.
    async fn note_health(
        &self,
        app: &App,
        route: &EventRoute,
        known: Option<RouteHealth>,
        verdict: &Verdict,
    ) -> Result<(), Problem> {
        let now = app.now();
        let failing_since = match verdict {
            Verdict::Succeeded | Verdict::Gone { taken: true } => {
                self.failures.succeeded(&route.id);
                None
            }
            Verdict::Failed(_) | Verdict::Dead(Reason::UnknownOutcome) => match self.failures.failed(&route.id, now) {
                Some(since) => Some(since),
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        let failing = failing_since.is_some();
        if known.as_ref().is_some_and(|known| known.failing) == failing {
            return Ok(());
        }
        let health = RouteHealth {
            id: route.id.clone(),
            v: 1,
            version: known.map_or(0, |known| known.version),
            failing,
            since: failing_since.unwrap_or(now),
            next_probe_at: now.plus_seconds(breaker::probe_seconds(&app.config)),
        };
        let event = own_events::of_health(app, route, &health)?;
        if is_written(app.store.change_health(&health, &event).await)? {
            tracing::warn!(route = route.id.as_str(), failing, "the health of a route has changed");
        }
        Ok(())
    }
}

/// Whether a conditional write was made, or something else came first.
fn is_written(written: Result<(), StoreError>) -> Result<bool, StoreError> {
    match written {
        Ok(()) => Ok(true),
        Err(StoreError::Condition(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// When a failed delivery is tried next; none if that was its last attempt.
fn next_attempt_at(
    app: &App,
    delivery: &StoredDelivery,
    not_before: Option<Timestamp>,
) -> Result<Option<Timestamp>, Problem> {
    let tried = usize::try_from(delivery.tried).unwrap_or(usize::MAX);
    let Some(seconds) = app.config.retry_schedule.get(tried.saturating_sub(1)) else { return Ok(None) };
    let now = app.now();
    let at = jittered(now, now.plus_seconds(*seconds))?;
    Ok(Some(not_before.map_or(at, |not_before| at.max(not_before))))
}

/// An instant, moved on by up to a tenth of the time until then, so that what failed together does not come back together.
fn jittered(now: Timestamp, at: Timestamp) -> Result<Timestamp, Problem> {
    let share = u64::from(random::<1>()?[0]);
    Ok(Timestamp::from_millis(at.millis() + at.millis_since(now) * share / 2_550))
}

/// What is kept of an attempt for which there was nothing to send.
fn unsent(at: Timestamp, error: String) -> Attempt {
    Attempt { at, status: None, duration_ms: 0, error: Some(error), body: None }
}

fn log(delivery: &StoredDelivery, verdict: &Verdict, attempt: &Attempt) {
    tracing::info!(
        delivery = delivery.pk.as_str(),
        event = delivery.event.as_str(),
        route = delivery.route.as_str(),
        attempt = delivery.tried + 1,
        status = attempt.status,
        duration_ms = attempt.duration_ms,
        verdict = ?verdict,
        "attempted"
    );
}

/// Leaves a delivery to wait. If something else has changed it, that one sees to it.
async fn wait(app: &App, mut delivery: StoredDelivery, at: Timestamp) -> Result<(), Problem> {
    delivery.wait(pending::until(app, at));
    if is_written(app.store.update_delivery(&mut delivery, app.now()).await)? {
        pending::send(app, slice::from_ref(&delivery)).await?;
    }
    Ok(())
}

async fn end(
    app: &App,
    mut delivery: StoredDelivery,
    state: DeliveryState,
    reason: Option<Reason>,
) -> Result<(), Problem> {
    delivery.end(state, reason);
    is_written(app.store.update_delivery(&mut delivery, app.now()).await)?;
    Ok(())
}

/// Makes a delivery a dead letter, and an event of that; but never of the delivery of such an event.
async fn die(
    app: &App,
    route: &EventRoute,
    event: &StoredEvent,
    mut delivery: StoredDelivery,
    reason: Reason,
) -> Result<(), Problem> {
    if event.key().map_err(StoreError::from)?.origin.route().is_some() {
        return end(app, delivery, DeliveryState::Dead, Some(reason)).await;
    }
    delivery.end(DeliveryState::Dead, Some(reason));
    let told = own_events::of_dead(app, route, &delivery)?;
    is_written(app.store.bury_delivery(&mut delivery, app.now(), &told).await)?;
    Ok(())
}

/// Disables a route whose target has asked for no more.
async fn disable(app: &App, route: &EventRoute) -> Result<(), Problem> {
    for _ in 0..ATTEMPTS {
        let Some(mut route) = app.store.find::<EventRoute>(route.id.as_str()).await?.filter(|route| route.enabled)
        else {
            return Ok(());
        };
        (route.enabled, route.updated_at) = (false, app.now());
        if is_written(app.store.update(&mut route).await)? {
            tracing::warn!(route = route.id.as_str(), "the target has asked for no more, and its route is disabled");
            return Ok(());
        }
    }
    Err(StoreError::Condition(None).into())
}
