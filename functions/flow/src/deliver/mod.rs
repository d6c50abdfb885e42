//! Attempts of deliveries: each due one calls its route's target once, and the outcome is written. The write has an
//! optimistic lock, so only one of two workers on the same delivery writes, and that one sends the next message or
//! event.

mod attempt;
mod aws_targets;
mod batch;
pub mod breaker;
mod group_commit;
mod health;
pub mod lambda;
mod subscriptions;

use crate::{
    QueueUnavailable, mcp, own_events, pending,
    request::{PrepareError, Prepared, ReadyTarget},
    route_cache::RouteCache,
};
use app::{App, functions::Functions};
use attempt::Verdict;
use aws::metrics::Metric;
use aws_targets::KnownBuses;
use breaker::Failures;
use group_commit::GroupCommit;
use models::{
    DeliveryState, ReplayId, StoredDelivery, StoredEvent, Timestamp,
    clock::random,
    delivery::{Attempt, Message, Reason},
};
use std::sync::Arc;
use store::{
    StoreError,
    delivery_inputs::{DeliveryInputs, SharedEvent},
    health::RouteHealth,
    routes::{DisabledReason, EventRoute},
};
use web::Problem;
use webhook::{WebhookClient, guard::Guard, kept};

pub use attempt::post;
pub use lambda::serve;

/// Wait before checking a delivery that another worker is attempting.
const BUSY_SECONDS: u64 = 60;
/// Longest chain of routes, each posting to the hook of the next. A longer one counts as a loop.
const MAX_HOPS: u8 = 8;

pub struct Deliverer {
    client: WebhookClient,
    functions: Box<dyn Functions>,
    targets: RouteCache<ReadyTarget>,
    buses: KnownBuses,
    failures: Failures,
    group_commit: GroupCommit,
}

/// A delivery to check, from a message.
pub struct DeliveryCheck {
    pub message: Message,
    /// True for a redelivered message, or for one sent by the sweep in place of a lost one.
    pub is_redelivered: bool,
    /// True if the queue may drop the message after this time. Then a delivery is stored before its first attempt.
    pub may_be_dropped: bool,
}

/// A due delivery whose route is enabled.
struct Due<'a> {
    delivery: StoredDelivery,
    route: Arc<EventRoute>,
    health: Option<RouteHealth>,
    inputs: &'a DeliveryInputs,
}

impl Deliverer {
    pub fn new(app: &App, functions: Box<dyn Functions>) -> Result<Self, rustls::Error> {
        let client = WebhookClient::new(Guard::new(app.config.delivery_allow_cidrs.clone()), app.config.trusted_roots)?;
        let (targets, buses, failures, group_commit) = Default::default();
        Ok(Self { client, functions, targets, buses, failures, group_commit })
    }

    /// Calls the target of a due delivery if its route exists and is enabled.
    async fn deliver_due(&self, app: &App, delivery: StoredDelivery, inputs: &DeliveryInputs) -> Result<(), Problem> {
        match inputs.route(&delivery.route)? {
            Some(route) if subscriptions::has_ended(app, &route).await? => {
                skip(app, delivery, Reason::RouteDeleted).await
            }
            Some(route) if route.enabled => {
                let health = inputs.health(&delivery.route)?;
                self.pass_breaker(app, Due { delivery, route, health, inputs }).await
            }
            Some(route) if route.disabled_reason == Some(DisabledReason::Failing) => {
                match current_event(app, delivery, inputs).await? {
                    Some((delivery, event)) => {
                        make_dead_letter(app, &route, &event.stored, delivery, Reason::RouteDisabled).await
                    }
                    None => Ok(()),
                }
            }
            Some(_) => skip(app, delivery, Reason::RouteDisabled).await,
            None => skip(app, delivery, Reason::RouteDeleted).await,
        }
    }

    /// Attempts a delivery unless the breaker of its route is open. If it is, one delivery at a time may probe.
    async fn pass_breaker(&self, app: &App, mut due: Due<'_>) -> Result<(), Problem> {
        if let Some(health) = due.health.as_mut().filter(|health| health.failing) {
            let now = app.now();
            let next_check_at = breaker::next_check_at(&app.config, health, now, random::<1>()?[0]);
            let may_probe = now >= health.next_probe_at;
            health.next_probe_at = now.plus_seconds(breaker::probe_seconds(&app.config));
            if !may_probe || !is_written(app.store.update(health).await)? {
                return self.postpone(app, due.delivery, next_check_at).await;
            }
        }
        match current_event(app, due.delivery, due.inputs).await? {
            Some((delivery, event)) => self.attempt_due(app, Due { delivery, ..due }, &event).await,
            None => Ok(()),
        }
    }

    async fn attempt_due(&self, app: &App, due: Due<'_>, event: &SharedEvent) -> Result<(), Problem> {
        let Due { mut delivery, route, health, .. } = due;
        let (mut verdict, mut attempt) = self.attempt_or_refuse(app, &route, &delivery, event).await?;
        if route.is_subscription() {
            // The subscriber chose the URL, and must not read answers through the list of deliveries.
            attempt.body = None;
            verdict = subscriptions::verdict(verdict, attempt.status);
        }
        log(&delivery, verdict, &attempt);
        match verdict.metric() {
            Some(metric) => count(app, &delivery, metric),
            None => return check_later(app, delivery).await,
        }
        delivery.record_attempt(attempt);
        let id = delivery.id.clone();
        let gone = DisabledReason::TargetGone;
        if verdict == (Verdict::Gone { taken: false }) && !route.is_subscription() {
            // A delivery that an earlier target refused is retried against the target saved since.
            let is_current = health::disable(app, &route, gone).await?;
            let verdict = if is_current { verdict } else { Verdict::Failed(None) };
            return self.conclude(app, &route, &event.stored, delivery, verdict).await;
        }
        self.conclude(app, &route, &event.stored, delivery, verdict).await?;
        // The outcome is written by now. A failure here is only logged: the next attempt has the same effect.
        let health_written = match verdict {
            Verdict::Gone { .. } if !route.is_subscription() => health::disable(app, &route, gone).await.map(drop),
            _ => self.write_health(app, &route, health, (&id, verdict)).await,
        };
        if let Err(problem) = health_written {
            tracing::error!(
                route = route.id.as_str(),
                cause = problem.causes(),
                "the health of a route was not written"
            );
        }
        Ok(())
    }

    /// Calls the target, unless the event has passed through too many routes.
    async fn attempt_or_refuse(
        &self,
        app: &App,
        route: &EventRoute,
        delivery: &StoredDelivery,
        event: &SharedEvent,
    ) -> Result<(Verdict, Attempt), Problem> {
        if event.stored.hops > MAX_HOPS {
            let message = format!("the event passed through more than {MAX_HOPS} routes in a row");
            return Ok((Verdict::Dead(Reason::Loop), not_sent(app.now(), &message)));
        }
        let target = self.target(app, route).await?;
        match prepare(app, &target, event)? {
            Ok(prepared) => self.attempt(app, delivery, prepared).await,
            Err(PrepareError::Event(message)) => Ok((Verdict::Dead(Reason::Unmappable), not_sent(app.now(), &message))),
            Err(PrepareError::Target(message)) => Ok((Verdict::Failed(None), not_sent(app.now(), &message))),
            Err(PrepareError::Problem(problem)) => Err(problem),
        }
    }

    /// Writes the consequence of an attempt.
    async fn conclude(
        &self,
        app: &App,
        route: &EventRoute,
        event: &StoredEvent,
        mut delivery: StoredDelivery,
        verdict: Verdict,
    ) -> Result<(), Problem> {
        match verdict {
            Verdict::Succeeded | Verdict::Gone { taken: true } => {
                delivery.finish(DeliveryState::Succeeded, None);
                self.group_commit.write(app, delivery).await
            }
            Verdict::Gone { taken: false } => skip(app, delivery, Reason::TargetGone).await,
            Verdict::Dead(reason) => make_dead_letter(app, route, event, delivery, reason).await,
            Verdict::Failed(not_before) => match next_attempt_at(app, route, &delivery, not_before)? {
                Some(at) => self.postpone(app, delivery, at).await,
                None => make_dead_letter(app, route, event, delivery, Reason::AttemptsUsedUp).await,
            },
            Verdict::Busy => Ok(()),
        }
    }

    /// Makes a delivery wait.
    async fn postpone(&self, app: &App, mut delivery: StoredDelivery, at: Timestamp) -> Result<(), Problem> {
        delivery.set_pending(pending::with_message(app, at));
        self.group_commit.write(app, delivery).await
    }

    /// A route's target, ready for use. It is cached for each version of the route, for five minutes.
    async fn target(&self, app: &App, route: &EventRoute) -> Result<Arc<ReadyTarget>, Problem> {
        let now = app.now();
        if let Some(target) = self.targets.get(&route.id, route.version, now) {
            return Ok(target);
        }
        let target = ReadyTarget::open(app, &route.id, &route.target).await?;
        Ok(self.targets.put(route.id.clone(), route.version, target, now))
    }
}

/// The request of a delivery. The parsed event takes many times its size, so it is dropped before the request is sent.
fn prepare(app: &App, target: &ReadyTarget, event: &SharedEvent) -> Result<Result<Prepared, PrepareError>, StoreError> {
    let (now, stored) = (app.now(), &event.stored);
    Ok(match target.plain_webhook() {
        Some(webhook) => webhook.prepare_plain(now, &stored.key()?.id, event.json()?, stored.hops),
        None => target.prepare(now, stored.open()?.envelope()?, stored.hops),
    })
}

/// True if a conditional write succeeded, false on a conflict.
fn is_written(written: Result<(), StoreError>) -> Result<bool, StoreError> {
    match written {
        Ok(()) => Ok(true),
        Err(StoreError::Condition(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Time of a failed delivery's next attempt; none after its last one.
fn next_attempt_at(
    app: &App,
    route: &EventRoute,
    delivery: &StoredDelivery,
    not_before: Option<Timestamp>,
) -> Result<Option<Timestamp>, Problem> {
    let tried = usize::try_from(delivery.attempts_made).unwrap_or(usize::MAX);
    let schedule = if route.is_subscription() { &mcp::RETRY_SECONDS[..] } else { &app.config.retry_schedule };
    let Some(seconds) = schedule.get(tried.saturating_sub(1)) else { return Ok(None) };
    let now = app.now();
    let at = now.plus_seconds(*seconds);
    let at = not_before.map_or(at, |not_before| at.max(not_before));
    // Jitter of up to a tenth, so that deliveries that failed together are not retried together.
    let share = u64::from(random::<1>()?[0]);
    Ok(Some(Timestamp::from_millis(at.millis() + at.millis_since(now) * share / 2_550)))
}

/// An attempt that ended before its call.
fn not_sent(at: Timestamp, message: &str) -> Attempt {
    let error = kept(format!("nothing was sent: {message}").as_bytes());
    Attempt { at, status: None, duration_ms: 0, error: Some(error), body: None }
}

/// The event of a delivery. Skips the delivery if the event has expired or its person was erased.
async fn current_event(
    app: &App,
    mut delivery: StoredDelivery,
    inputs: &DeliveryInputs,
) -> Result<Option<(StoredDelivery, Arc<SharedEvent>)>, Problem> {
    let reason = match app.store.event_of(inputs, &delivery.event).await? {
        Some(event) if event.stored.is_erased() => {
            delivery.remove_target_text();
            Reason::PersonErased
        }
        Some(event) => return Ok(Some((delivery, event))),
        None => Reason::EventExpired,
    };
    skip(app, delivery, reason).await?;
    Ok(None)
}

/// Counts an attempt, with the latency of a delivery that it ends. A manual retry has no latency of its own.
fn count(app: &App, delivery: &StoredDelivery, metric: Metric) {
    app.metrics.count(metric);
    if metric == Metric::Delivered && delivery.manual_retries == 0 {
        let begun = if delivery.replay.is_some() { delivery.created_at } else { delivery.event.time() };
        app.metrics.time(Metric::DeliveryLatency, app.now().millis_since(begun));
    }
}

/// Logs an attempt: event, route and replay give the delivery, and the first attempt has no number.
fn log(delivery: &StoredDelivery, verdict: Verdict, attempt: &Attempt) {
    let number = delivery.attempts_made + 1;
    tracing::info!(
        event = delivery.event.as_str(),
        route = delivery.route.as_str(),
        replay = delivery.replay.as_ref().map(ReplayId::as_str),
        attempt = (number > 1).then_some(number),
        status = attempt.status,
        duration_ms = attempt.duration_ms,
        verdict = verdict.as_str(),
        "attempted"
    );
}

/// Sends another message for a delivery that another worker is attempting, to check its outcome later. Nothing is
/// written, because that would conflict with the other worker's write.
async fn check_later(app: &App, delivery: StoredDelivery) -> Result<(), Problem> {
    let Some(queue) = app.queue() else { return Ok(()) };
    let at = app.now().plus_seconds(BUSY_SECONDS);
    let is_first = delivery.version == 0;
    let message = Message { delivery: delivery.id, route: delivery.route, at, is_first };
    Ok(queue.send(vec![message]).await.map_err(QueueUnavailable)?)
}

async fn skip(app: &App, mut delivery: StoredDelivery, reason: Reason) -> Result<(), Problem> {
    delivery.finish(DeliveryState::Skipped, Some(reason));
    is_written(app.store.update_delivery(&mut delivery, app.now()).await)?;
    Ok(())
}

/// Makes a delivery a dead letter, and stores an event about that unless the delivery carries one of Switchboard's own
/// events, or is for a subscription.
async fn make_dead_letter(
    app: &App,
    route: &EventRoute,
    event: &StoredEvent,
    mut delivery: StoredDelivery,
    reason: Reason,
) -> Result<(), Problem> {
    delivery.finish(DeliveryState::Dead, Some(reason));
    let written = if event.is_own() || route.is_subscription() {
        app.store.update_delivery(&mut delivery, app.now()).await
    } else {
        let dead = own_events::of_dead(app, route, &delivery, event.hops);
        app.store.put_dead_letter(&mut delivery, app.now(), &dead).await
    };
    // The alarm is for targets that the operator can mend.
    if is_written(written)? && !route.is_subscription() {
        app.metrics.count(Metric::Dead);
    }
    Ok(())
}
