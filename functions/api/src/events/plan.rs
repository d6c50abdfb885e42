//! Selection of deliveries for stored events, for replays and redispatches.

use super::replay::is_named;
use app::App;
use flow::{
    fan_out::{self, Routes},
    pending::{self, LOST_AFTER_SECONDS},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use models::{
    DeliveryState, HookId, ReplayId, RouteId, StoredDelivery, StoredEvent, causes,
    event::{EventKey, OpenEvent},
};
use store::{
    Item, StoreError, from_item,
    list::Entry,
    routes::{EventRoute, matches_pattern},
};
use web::Problem;

/// Number of events planned concurrently.
const CONCURRENCY: usize = 8;

/// True if an entry's event has this hook and type, as far as they are given.
pub fn is_selected(entry: &Entry, hook: Option<&HookId>, event_type: Option<&str>) -> bool {
    EventKey::parse(&entry.sort).is_some_and(|key| {
        hook.is_none_or(|hook| key.origin.hook() == Some(hook))
            && event_type.is_none_or(|pattern| matches_pattern(pattern, &key.event_type))
    })
}

/// The readable events: an unreadable one must not block the others.
pub fn stored(items: Vec<Item>) -> Vec<StoredEvent> {
    let read = |item: Item| from_item(item).map_err(|error| log(&error)).ok();
    items.into_iter().filter_map(read).collect()
}

fn log(error: &StoreError) {
    tracing::error!(cause = causes(error), "an event can't be read and was left out");
}

/// Selects the deliveries to create.
pub struct Planner<'a> {
    pub app: &'a App,
    pub routes: Routes,
    /// Only deliveries to this route.
    pub route: Option<RouteId>,
    pub replay: Option<ReplayId>,
    /// Only deliveries that should exist and don't.
    pub missing_only: bool,
}

/// The deliveries to create for a batch of events.
#[derive(Default)]
pub struct Plan {
    /// Number of events that match at least one route.
    pub events: u64,
    pub delivered_before: u64,
    pub deliveries: Vec<StoredDelivery>,
}

impl Planner<'_> {
    pub async fn plan(&self, events: Vec<StoredEvent>) -> Result<Plan, StoreError> {
        let plans = stream::iter(events).map(|event| self.plan_one(event)).buffer_unordered(CONCURRENCY);
        let together = |all: Plan, mut one: Plan| async move {
            one.deliveries.extend(all.deliveries);
            one.events += all.events;
            one.delivered_before += all.delivered_before;
            Ok(one)
        };
        plans.try_fold(Plan::default(), together).await
    }

    async fn plan_one(&self, event: StoredEvent) -> Result<Plan, StoreError> {
        match self.plan_readable(&event).await {
            Err(error @ StoreError::Malformed(_)) => {
                log(&error);
                Ok(Plan::default())
            }
            planned => planned,
        }
    }

    async fn plan_readable(&self, event: &StoredEvent) -> Result<Plan, StoreError> {
        if event.is_erased() {
            return Ok(Plan::default());
        }
        let event = event.open()?;
        let routes: Vec<&EventRoute> =
            self.routes.of(&event)?.into_iter().filter(|route| self.is_eligible(&event, route)).collect();
        if routes.is_empty() {
            return Ok(Plan::default());
        }
        let known = self.app.store.deliveries_of(&event.key.id).await?;
        let delivered = |route: &&&EventRoute| {
            known.iter().any(|known| known.route == route.id && known.state == DeliveryState::Succeeded)
        };
        let when = pending::with_message(self.app, self.app.now());
        let delivered_before = routes.iter().filter(delivered).count() as u64;
        let is_wanted = |route: &EventRoute, planned: &StoredDelivery| {
            let exists = known.iter().any(|known| known.id == planned.id);
            !self.missing_only || !(exists || self.may_be_queued(&event, route))
        };
        let planned = routes.iter().filter_map(|route| {
            let planned = fan_out::delivery(self.app, &event, route, self.replay.as_ref(), when);
            is_wanted(route, &planned).then_some(planned)
        });
        Ok(Plan { events: 1, delivered_before, deliveries: planned.collect() })
    }

    /// True if a delivery that is not stored may have a message in the queue.
    fn may_be_queued(&self, event: &OpenEvent<'_>, route: &EventRoute) -> bool {
        let came = event.key.id.time();
        let is_lost = self.app.now().millis_since(came) > LOST_AFTER_SECONDS * 1000;
        self.app.queue().is_some() && !is_lost && route.updated_at <= came
    }

    /// True if a matching route gets the event.
    fn is_eligible(&self, event: &OpenEvent<'_>, route: &EventRoute) -> bool {
        let came = event.key.id.time();
        let kept_millis = self.app.config.delivery_ttl_days * 86_400_000;
        let is_old = self.app.now().millis_since(came) > kept_millis;
        // A redispatch makes first deliveries, so it includes subscriptions.
        let is_first = self.missing_only && self.route.is_none();
        (is_first || is_named(route, self.route.as_ref()))
            && !(self.missing_only && (is_old || came < route.created_at))
    }

    /// Creates deliveries, or only counts them in a dry run. Returns their number.
    pub async fn create(&self, mut deliveries: Vec<StoredDelivery>, dry_run: bool) -> Result<u64, Problem> {
        if dry_run {
            return Ok(deliveries.len() as u64);
        }
        let stored = pending::store_and_send(self.app, &mut deliveries).await?;
        Ok(stored.into_iter().filter(|stored| *stored).count() as u64)
    }
}
