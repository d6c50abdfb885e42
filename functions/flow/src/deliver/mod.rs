//! Delivers: takes a delivery that is due, calls its route's target once, and writes what came of it. What is written is
//! written on condition that nothing else has changed the delivery, so two workers at one delivery end as one, and what
//! follows, another message or an event, is sent by the one that wrote.

pub mod actions;
mod attempt;
mod batch;
mod breaker;
mod firsts;
pub mod lambda;

use crate::{
    Unsent,
    guard::Guard,
    own_events, pending,
    request::{ReadyTarget, Unprepared},
    versions::ByVersion,
    webhook::WebhookClient,
};
use actions::Actions;
use attempt::Verdict;
use breaker::Failures;
use firsts::Firsts;
use models::{
    DeliveryState, StoredDelivery, StoredEvent, Timestamp,
    delivery::{Attempt, Reason},
    event::EventKey,
};
use runtime::{
    App, Problem,
    clock::random,
    metrics::Metric,
    queue::Message,
    store::{StoreError, grounds::Grounds, health::RouteHealth, routes::EventRoute},
};
use std::{slice, sync::Arc};

pub use attempt::post;
pub use lambda::serve;

/// How long a delivery waits that another worker is at.
const BUSY_SECONDS: u64 = 60;
/// How often a change of a route or of its health is tried anew when something else changes it.
const ATTEMPTS: usize = 5;

pub struct Deliverer {
    client: WebhookClient,
    actions: Box<dyn Actions>,
    targets: ByVersion<ReadyTarget>,
    failures: Failures,
    firsts: Firsts,
}

/// A delivery to look at.
pub struct Look {
    pub message: Message,
    /// The message may have been handled in part, or is one for another that may have been lost.
    pub is_again: bool,
}

/// A delivery whose route may be called.
struct Due<'a> {
    delivery: StoredDelivery,
    route: Arc<EventRoute>,
    health: Option<RouteHealth>,
    grounds: &'a Grounds,
}

impl Deliverer {
    pub fn new(app: &App, actions: Box<dyn Actions>) -> Result<Self, rustls::Error> {
        let client = WebhookClient::new(Guard::of(&app.config))?;
        let (targets, failures, firsts) = Default::default();
        Ok(Self { client, actions, targets, failures, firsts })
    }

    /// Looks at a delivery.
    pub async fn deliver(&self, app: &App, look: Look) -> Result<(), Problem> {
        self.deliver_all(app, vec![look]).await?.into_iter().collect()
    }

    /// Calls the target of a delivery that is due, if its route is there and takes it.
    async fn deliver_due(&self, app: &App, delivery: StoredDelivery, grounds: &Grounds) -> Result<(), Problem> {
        match grounds.route(&delivery.route)? {
            Some(route) if route.enabled => {
                let health = grounds.health(&delivery.route)?;
                self.pass_breaker(app, Due { delivery, route, health, grounds }).await
            }
            Some(_) => skip(app, delivery, Reason::RouteDisabled).await,
            None => skip(app, delivery, Reason::RouteDeleted).await,
        }
    }

    /// Attempts a delivery unless the breaker of its route is open and it is not the one to try.
    async fn pass_breaker(&self, app: &App, mut due: Due<'_>) -> Result<(), Problem> {
        if let Some(health) = due.health.as_mut().filter(|health| health.failing) {
            let now = app.now();
            let look_again_at = breaker::look_again_at(&app.config, health, now, random::<1>()?[0]);
            let may_probe = now >= health.next_probe_at;
            health.next_probe_at = now.plus_seconds(breaker::probe_seconds(&app.config));
            if !may_probe || !is_written(app.store.update(health).await)? {
                return wait(app, due.delivery, look_again_at).await;
            }
        }
        match app.store.event_of(due.grounds, &due.delivery.event).await? {
            Some(event) if event.is_erased() => {
                due.delivery.scrub();
                skip(app, due.delivery, Reason::PersonErased).await
            }
            Some(event) => self.attempt_due(app, due, &event).await,
            None => skip(app, due.delivery, Reason::EventExpired).await,
        }
    }

    async fn attempt_due(&self, app: &App, due: Due<'_>, event: &StoredEvent) -> Result<(), Problem> {
        let Due { mut delivery, route, health, .. } = due;
        let opened = event.open().map_err(StoreError::from)?;
        let envelope = opened.envelope().map_err(StoreError::from)?;
        let (verdict, attempt) = match self.target(app, &route).await?.prepare(app.now(), &envelope) {
            Ok(prepared) => self.attempt(app.now(), &delivery, prepared).await?,
            Err(Unprepared::Event(words)) => (Verdict::Dead(Reason::Unmappable), not_sent(app.now(), words)),
            Err(Unprepared::Problem(problem)) => return Err(problem),
        };
        log(&delivery, verdict, &attempt);
        match verdict.metric() {
            Some(metric) => count(app, &delivery, metric),
            None => return look_again(app, delivery).await,
        }
        delivery.attempted(attempt);
        self.conclude(app, &route, &opened.key, delivery, verdict).await?;
        // What came of the attempt is kept by now; these are found out again if they fail.
        let noted = match verdict {
            Verdict::Gone { .. } => disable(app, &route).await,
            _ => self.note_health(app, &route, health, verdict).await,
        };
        if let Err(problem) = noted {
            tracing::error!(route = route.id.as_str(), cause = problem.causes(), "a route's health was not noted");
        }
        Ok(())
    }

    /// Writes what an attempt means for its delivery.
    async fn conclude(
        &self,
        app: &App,
        route: &EventRoute,
        event: &EventKey,
        mut delivery: StoredDelivery,
        verdict: Verdict,
    ) -> Result<(), Problem> {
        match verdict {
            Verdict::Succeeded | Verdict::Gone { taken: true } if delivery.version == 0 => {
                delivery.end(DeliveryState::Succeeded, None);
                Ok(self.firsts.store(app, delivery).await?)
            }
            Verdict::Succeeded | Verdict::Gone { taken: true } => {
                end(app, delivery, DeliveryState::Succeeded, None).await
            }
            Verdict::Gone { taken: false } => skip(app, delivery, Reason::TargetGone).await,
            Verdict::Dead(reason) => die(app, route, event, delivery, reason).await,
            Verdict::Failed(not_before) => match next_attempt_at(app, &delivery, not_before)? {
                Some(at) => wait(app, delivery, at).await,
                None => die(app, route, event, delivery, Reason::AttemptsUsedUp).await,
            },
            Verdict::Busy => Ok(()),
        }
    }

    /// A route's target, ready to be used; a process makes it once of each version of the route.
    async fn target(&self, app: &App, route: &EventRoute) -> Result<Arc<ReadyTarget>, Problem> {
        if let Some(target) = self.targets.get(&route.id, route.version) {
            return Ok(target);
        }
        let target = ReadyTarget::open(app, &route.id, &route.target).await?;
        Ok(self.targets.put(route.id.clone(), route.version, target))
    }

    /// Opens or closes the breaker of a route, unless another process has done so.
    async fn note_health(
        &self,
        app: &App,
        route: &EventRoute,
        mut known: Option<RouteHealth>,
        verdict: Verdict,
    ) -> Result<(), Problem> {
        let now = app.now();
        let failing_since = match verdict {
            Verdict::Succeeded => {
                self.failures.succeeded(route);
                None
            }
            Verdict::Failed(_) | Verdict::Dead(Reason::UnknownOutcome) => {
                match self.failures.failed(route, known.as_ref(), now) {
                    Some(since) => Some(since),
                    None => return Ok(()),
                }
            }
            _ => return Ok(()),
        };
        let failing = failing_since.is_some();
        for _ in 0..ATTEMPTS {
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
            let event = own_events::of_health(app, route, &health);
            if is_written(app.store.change_health(&health, &event).await)? {
                tracing::warn!(route = route.id.as_str(), failing, "the health of a route has changed");
                return Ok(());
            }
            known = app.store.find(route.id.as_str()).await?;
        }
        Err(StoreError::Condition(None).into())
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
    let at = now.plus_seconds(*seconds);
    let at = not_before.map_or(at, |not_before| at.max(not_before));
    // Later by up to a tenth, so that what failed together does not come back together.
    let share = u64::from(random::<1>()?[0]);
    Ok(Some(Timestamp::from_millis(at.millis() + at.millis_since(now) * share / 2_550)))
}

/// What is kept of an attempt for which there was nothing to send.
fn not_sent(at: Timestamp, error: String) -> Attempt {
    Attempt { at, status: None, duration_ms: 0, error: Some(error), body: None }
}

/// Counts an attempt, and how long its delivery took if that ends it. What was retried by hand was given up in between.
fn count(app: &App, delivery: &StoredDelivery, metric: Metric) {
    app.metrics.count(metric);
    if metric == Metric::Delivered && delivery.retried == 0 {
        let begun = if delivery.replay.is_some() { delivery.created_at } else { delivery.event.time() };
        app.metrics.time(Metric::DeliveryLatency, app.now().millis_since(begun));
    }
}

fn log(delivery: &StoredDelivery, verdict: Verdict, attempt: &Attempt) {
    tracing::info!(
        delivery = delivery.id.as_str(),
        event = delivery.event.as_str(),
        route = delivery.route.as_str(),
        attempt = delivery.tried + 1,
        status = attempt.status,
        duration_ms = attempt.duration_ms,
        verdict = verdict.as_str(),
        "attempted"
    );
}

/// Sends a delivery that another worker is at to the queue once more, to see what came of that. Nothing is written: it
/// would undo what the other writes.
async fn look_again(app: &App, delivery: StoredDelivery) -> Result<(), Problem> {
    let Some(queue) = app.queue() else { return Ok(()) };
    let at = app.now().plus_seconds(BUSY_SECONDS);
    let is_first = delivery.version == 0;
    let message = Message { delivery: delivery.id, route: delivery.route, at, is_first };
    Ok(queue.send(vec![message]).await.map_err(Unsent)?)
}

/// Leaves a delivery to wait. If something else has changed it, that one sees to it.
async fn wait(app: &App, mut delivery: StoredDelivery, at: Timestamp) -> Result<(), Problem> {
    delivery.wait(pending::until(app, at));
    if is_written(app.store.update_delivery(&mut delivery, app.now()).await)? {
        pending::send(app, slice::from_ref(&delivery)).await?;
    }
    Ok(())
}

async fn skip(app: &App, delivery: StoredDelivery, reason: Reason) -> Result<(), Problem> {
    end(app, delivery, DeliveryState::Skipped, Some(reason)).await
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
    event: &EventKey,
    mut delivery: StoredDelivery,
    reason: Reason,
) -> Result<(), Problem> {
    delivery.end(DeliveryState::Dead, Some(reason));
    let written = if event.origin.route().is_some() {
        app.store.update_delivery(&mut delivery, app.now()).await
    } else {
        let told = own_events::of_dead(app, route, &delivery);
        app.store.bury_delivery(&mut delivery, app.now(), &told).await
    };
    if is_written(written)? {
        app.metrics.count(Metric::Dead);
    }
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
        let told = own_events::of_disabled(app, &route);
        if is_written(app.store.change_route(&mut route, &told).await)? {
            tracing::warn!(route = route.id.as_str(), "the target has asked for no more, and its route is disabled");
            return Ok(());
        }
    }
    Err(StoreError::Condition(None).into())
}
