//! `POST /v1/events/{id}/redispatch` and `POST /v1/events/redispatch`: dispatches stored events again if dispatch set
//! them aside or gave up. Repeating a redispatch creates nothing twice.

use super::{
    plan::{Planner, is_selected, stored},
    replay::routes,
};
use crate::{CURSOR, OPERATE, batches::Batches, span_faults};
use app::{App, Route};
use flow::dispatch::{self, Redispatched};
use futures::{StreamExt as _, stream};
use models::{EventId, HookId, StoredEvent, SubscriberId, Timestamp, causes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::StoreError;
use web::{Problem, Request, RequestExt as _, Response, input, respond};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RedispatchOptions {
    /// True to count without changing anything.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RedispatchSpan {
    /// Only events of this hook.
    hook: Option<HookId>,
    /// Only events of this type; `*` matches any characters.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Only events accepted after this time.
    after: Timestamp,
    /// Only events accepted before this time.
    before: Timestamp,
    /// True to count without changing anything.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Serialize, JsonSchema)]
pub struct RedispatchResult {
    /// Number of events that were dispatched again. Erased events are skipped.
    events: u64,
    /// Number of subscribers whose record changed.
    folded: u64,
    /// Number of missing takeovers that were created.
    takeovers: u64,
    /// Number of missing deliveries that were created, to routes that existed when the event was accepted. On AWS a
    /// delivery counts as missing once the event is an hour old; until then its message may be under way.
    deliveries: u64,
    /// Null at the end. Otherwise there are more events: repeat the call with the same body and this as `cursor`.
    next: Option<String>,
}

/// The effects of a call so far.
#[derive(Default)]
struct Tally {
    events: u64,
    people: BTreeSet<SubscriberId>,
    takeovers: u64,
    deliveries: u64,
}

impl Tally {
    fn outcome(self, next: Option<String>) -> RedispatchResult {
        let Self { events, people, takeovers, deliveries } = self;
        RedispatchResult { events, folded: people.len() as u64, takeovers, deliveries, next }
    }
}

/// A call ends with the batch that reaches this number of events.
const MAX_EVENTS: u64 = 500;
/// Number of people whose events are folded concurrently.
const CONCURRENCY: usize = 8;

pub const REDISPATCH: Route = Route::post(
    "/v1/events/{id}/redispatch",
    OPERATE,
    "Dispatch an event again, creating missing records and deliveries",
    |app, request| Box::pin(redispatch(app, request)),
)
.may_take::<RedispatchOptions>()
.answers::<RedispatchResult>();

pub async fn redispatch(app: &App, request: Request) -> Result<Response, Problem> {
    let id: EventId = request.id("event")?;
    let RedispatchOptions { dry_run } = input::optional_body(&request)?;
    let event = app.store.event(&id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let redispatch = Redispatch::prepare(app, dry_run).await?;
    let mut tally = Tally::default();
    if !event.is_erased() {
        let events = vec![event];
        let folded = redispatch.fold(&events).await?;
        redispatch.finish(events, folded, &mut tally).await?;
    }
    respond::of_event(id, &tally.outcome(None))
}

pub const REDISPATCH_SPAN: Route = Route::post(
    "/v1/events/redispatch",
    OPERATE,
    "Dispatch the events of a time span again, creating missing records and deliveries",
    |app, request| Box::pin(redispatch_span(app, request)),
)
.with_query(&[CURSOR])
.takes::<RedispatchSpan>()
.answers::<RedispatchResult>();

pub async fn redispatch_span(app: &App, request: Request) -> Result<Response, Problem> {
    let span: RedispatchSpan = input::body_with(&request, |body| Ok(span_faults(body)))?;
    // The cursor is bound to the span.
    let list = format!("redispatch {}", serde_json::to_string(&span).map_err(Problem::internal)?);
    let redispatch = Redispatch::prepare(app, span.dry_run).await?;
    let listing = app.store.events(Some(span.after), Some(span.before), request.position(&list)?);
    let mut batches = Batches::start(&app.store, listing).await?;
    let mut tally = Tally::default();
    while let Some(items) =
        batches.next(|entry| is_selected(entry, span.hook.as_ref(), span.event_type.as_deref())).await?
    {
        let events = stored(items).into_iter().filter(|event| !event.is_erased()).collect();
        redispatch.batch(events, &mut tally).await?;
        if tally.events >= MAX_EVENTS {
            break;
        }
    }
    respond::ok(&tally.outcome(request.cursor(&list, batches.position())))
}

struct Redispatch<'a> {
    app: &'a App,
    dry_run: bool,
    planner: Planner<'a>,
}

impl<'a> Redispatch<'a> {
    async fn prepare(app: &'a App, dry_run: bool) -> Result<Self, Problem> {
        let planner = Planner { app, routes: routes(app, None).await?, route: None, replay: None, missing_only: true };
        Ok(Self { app, dry_run, planner })
    }

    /// Dispatches events again, grouped by person. An event that can't be folded is left out and logged, as dispatch
    /// sets it aside.
    async fn batch(&self, events: Vec<StoredEvent>, tally: &mut Tally) -> Result<(), Problem> {
        let mut people: BTreeMap<String, Vec<StoredEvent>> = BTreeMap::new();
        for event in events {
            let person = event.subscriber().map_or_else(|| event.pk.clone(), String::from);
            people.entry(person).or_default().push(event);
        }
        let folding = people.into_values().map(|events| async move {
            let folded = self.fold(&events).await;
            (events, folded)
        });
        let folded: Vec<_> = stream::iter(folding).buffer_unordered(CONCURRENCY).collect().await;
        for (events, folded) in folded {
            match folded {
                Ok(folded) => self.finish(events, folded, tally).await?,
                // One of the events is faulty: handling each alone finds it.
                Err(StoreError::Malformed(_) | StoreError::Refused(_)) => {
                    for event in events {
                        self.alone(event, tally).await?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn alone(&self, event: StoredEvent, tally: &mut Tally) -> Result<(), Problem> {
        let events = vec![event];
        match self.fold(&events).await {
            Ok(folded) => self.finish(events, folded, tally).await,
            Err(error @ (StoreError::Malformed(_) | StoreError::Refused(_))) => {
                tracing::error!(
                    event = events[0].id_or_key(),
                    cause = causes(&error),
                    "an event can't be redispatched"
                );
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Folds events of one person, or events without a person.
    async fn fold(&self, events: &[StoredEvent]) -> Result<Redispatched, StoreError> {
        let opened = events.iter().map(StoredEvent::open).collect::<Result<Vec<_>, _>>()?;
        dispatch::redispatch(self.app, &opened, self.dry_run).await
    }

    /// Creates the missing deliveries of folded events, and counts.
    async fn finish(
        &self,
        mut events: Vec<StoredEvent>,
        folded: Redispatched,
        tally: &mut Tally,
    ) -> Result<(), Problem> {
        events.retain(|event| event.key().is_ok_and(|key| !folded.late.contains(&key.id)));
        tally.events += events.len() as u64;
        let plan = self.planner.plan(events).await?;
        tally.people.extend(folded.folded);
        tally.takeovers += folded.takeovers;
        tally.deliveries += self.planner.create(plan.deliveries, self.dry_run).await?;
        Ok(())
    }
}
