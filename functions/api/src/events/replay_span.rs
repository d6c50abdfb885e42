//! `POST /v1/events/replay`: new deliveries of the kept events of a span of time, or just those that it lacks.

use super::replay::{is_named, routes};
use crate::{batches::Batches, span_faults};
use flow::{
    fan_out::{self, Routes},
    pending::{self, LOST_AFTER_SECONDS},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use models::{
    DeliveryState, HookId, ReplayId, RouteId, StoredDelivery, StoredEvent, Timestamp,
    event::{EventKey, OpenEvent},
};
use runtime::{
    App, Call, Problem, Reply,
    clock::random,
    input,
    log::causes,
    store::{
        Item, StoreError, from_item,
        list::Entry,
        routes::{EventRoute, is_like},
    },
};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Span {
    /// Only the events of this hook.
    hook: Option<HookId>,
    /// Only the events of this type; `*` stands for any run of characters.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Only to this route, which has to be enabled.
    route: Option<RouteId>,
    /// Only the events that came after this.
    after: Timestamp,
    /// Only the events that came before this.
    before: Timestamp,
    /// Counts, and makes nothing.
    #[serde(default)]
    dry_run: bool,
    /// Makes no delivery anew, just those that should have been made when the events came: of routes that were there
    /// then, as they are now. On AWS a delivery is stored with its first attempt, so one is missing if that has not been
    /// made for an hour, or if its route was changed since the event came. Events older than the time that deliveries are
    /// kept are left out: theirs may have expired.
    #[serde(default)]
    missing_only: bool,
}

#[derive(Serialize, JsonSchema)]
pub struct Replayed {
    /// Null if nothing is made, or nothing is made anew.
    replay: Option<ReplayId>,
    /// How many events there were that at least one route is for. What was a person's who was erased is not among them.
    events: u64,
    /// How many deliveries were made, or would have been on a dry run. What an earlier call with the same `cursor` has
    /// made is not made again, nor counted.
    deliveries: u64,
    /// How often one of those events had been delivered to one of its routes before.
    delivered_before: u64,
    /// There are more: call again with the same body and this as `cursor`. Null at the end.
    next: Option<String>,
}

/// A call ends with the batch in which so many events were for a route.
const MOST: u64 = 500;
/// How many events are looked at at once.
const CONCURRENCY: usize = 8;

pub async fn replay_span(app: &App, call: Call) -> Result<Reply, Problem> {
    let span: Span = input::body_with(&call, &schema_for!(Span), |body| Ok(span_faults(body)))?;
    // A cursor of another span is refused.
    let list = format!("replay {}", serde_json::to_string(&span).map_err(Problem::internal)?);
    let (replay, position) = span.place(&call, &list)?;
    let pass = Pass { app, routes: routes(app, span.route.as_ref()).await?, span, replay };
    let listing = app.store.events(Some(pass.span.after), Some(pass.span.before), position);
    let mut batches = Batches::begin(&app.store, listing).await?;
    let (mut events, mut deliveries, mut delivered_before) = (0, 0, 0);
    while let Some(items) = batches.next(|entry| pass.span.is_for(entry)).await? {
        let plan = pass.plan(items).await?;
        events += plan.events;
        delivered_before += plan.delivered_before;
        deliveries += pass.make(plan.deliveries).await?;
        if events >= MOST {
            break;
        }
    }
    let Pass { replay, .. } = pass;
    let next = call.cursor(&list, batches.position().map(|position| placed(replay.as_ref(), &position)));
    Reply::ok(&Replayed { replay, events, deliveries, delivered_before, next })
}

/// What stands in a cursor for no replay.
const NONE: &str = "-";

/// A position with the replay that goes on there: a call that is repeated makes the same deliveries.
fn placed(replay: Option<&ReplayId>, position: &str) -> String {
    format!("{} {position}", replay.map_or(NONE, ReplayId::as_str))
}

impl Span {
    /// The replay of a call, and the position at which it begins.
    fn place(&self, call: &Call, list: &str) -> Result<(Option<ReplayId>, Option<String>), Problem> {
        let Some(placed) = call.position(list)? else {
            let replays = !self.dry_run && !self.missing_only;
            return Ok((replays.then(|| random().map(|random| ReplayId::new(call.now, random))).transpose()?, None));
        };
        let forged = || Problem::invalid_query("cursor", "is not a cursor of this list");
        let (replay, position) = placed.split_once(' ').ok_or_else(forged)?;
        let replay = match replay {
            NONE => None,
            replay => Some(replay.parse().map_err(|_| forged())?),
        };
        Ok((replay, Some(position.to_owned())))
    }

    fn is_for(&self, entry: &Entry) -> bool {
        EventKey::parse(&entry.sort).is_some_and(|key| {
            self.hook.as_ref().is_none_or(|hook| key.origin.hook() == Some(hook))
                && self.event_type.as_ref().is_none_or(|pattern| is_like(pattern, &key.event_type))
        })
    }
}

/// One call's way through the events.
struct Pass<'a> {
    app: &'a App,
    span: Span,
    routes: Routes,
    replay: Option<ReplayId>,
}

/// What is to be made of some events.
#[derive(Default)]
struct Plan {
    events: u64,
    delivered_before: u64,
    deliveries: Vec<StoredDelivery>,
}

impl Pass<'_> {
    async fn plan(&self, items: Vec<Item>) -> Result<Plan, StoreError> {
        let plans = stream::iter(items).map(|item| self.plan_one(item)).buffer_unordered(CONCURRENCY);
        let together = |all: Plan, mut one: Plan| async move {
            one.deliveries.extend(all.deliveries);
            one.events += all.events;
            one.delivered_before += all.delivered_before;
            Ok(one)
        };
        plans.try_fold(Plan::default(), together).await
    }

    async fn plan_one(&self, item: Item) -> Result<Plan, StoreError> {
        match self.plan_readable(item).await {
            // One event that can't be read must not keep the others.
            Err(error @ StoreError::Malformed(_)) => {
                tracing::error!(cause = causes(&error), "an event was left out");
                Ok(Plan::default())
            }
            planned => planned,
        }
    }

    async fn plan_readable(&self, item: Item) -> Result<Plan, StoreError> {
        let event: StoredEvent = from_item(item)?;
        if event.is_erased() {
            return Ok(Plan::default());
        }
        let event = event.open()?;
        let routes: Vec<&EventRoute> =
            self.routes.of(&event)?.into_iter().filter(|route| self.takes(&event, route)).collect();
        if routes.is_empty() {
            return Ok(Plan::default());
        }
        let known = self.app.store.deliveries_of(&event.key.id).await?;
        let delivered = |route: &&&EventRoute| {
            known.iter().any(|known| known.route == route.id && known.state == DeliveryState::Succeeded)
        };
        let when = pending::until(self.app, self.app.now());
        let delivered_before = routes.iter().filter(delivered).count() as u64;
        let is_wanted = |route: &EventRoute, made: &StoredDelivery| {
            let is_there = known.iter().any(|known| known.id == made.id);
            !self.span.missing_only || !(is_there || self.may_be_queued(&event, route))
        };
        let made = routes.iter().filter_map(|route| {
            let made = fan_out::delivery(self.app, &event, route, self.replay.as_ref(), when);
            is_wanted(route, &made).then_some(made)
        });
        Ok(Plan { events: 1, delivered_before, deliveries: made.collect() })
    }

    /// Whether a delivery that is not stored may have a message on its way.
    fn may_be_queued(&self, event: &OpenEvent<'_>, route: &EventRoute) -> bool {
        let came = event.key.id.time();
        let is_lost = self.app.now().millis_since(came) > LOST_AFTER_SECONDS * 1000;
        pending::is_kept(self.app) && !is_lost && route.updated_at <= came
    }

    /// Whether a route that an event is for gets it.
    fn takes(&self, event: &OpenEvent<'_>, route: &EventRoute) -> bool {
        let came = event.key.id.time();
        let kept_millis = self.app.config.delivery_ttl_days * 86_400_000;
        let is_old = self.app.now().millis_since(came) > kept_millis;
        is_named(route, self.span.route.as_ref()) && !(self.span.missing_only && (is_old || came < route.created_at))
    }

    /// Makes deliveries, or only counts them; how many.
    async fn make(&self, mut deliveries: Vec<StoredDelivery>) -> Result<u64, Problem> {
        if self.span.dry_run {
            return Ok(deliveries.len() as u64);
        }
        let stored = pending::store_and_send(self.app, &mut deliveries).await?;
        Ok(stored.into_iter().filter(|stored| *stored).count() as u64)
    }
}
