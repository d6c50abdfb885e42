//! `POST /v1/events/{id}/redispatch` and `POST /v1/events/redispatch`: dispatches kept events again, for those that dispatch
//! set aside or gave up. Everything is made once, however often it is asked for.

use super::{
    plan::{Planner, is_of, stored},
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
pub struct One {
    /// Counts, and changes nothing.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Span {
    /// Only the events of this hook.
    hook: Option<HookId>,
    /// Only the events of this type; `*` stands for any run of characters.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Only the events that came after this.
    after: Timestamp,
    /// Only the events that came before this.
    before: Timestamp,
    /// Counts, and changes nothing.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Serialize, JsonSchema)]
pub struct Outcome {
    /// Events that were dispatched again. Erased events are skipped.
    events: u64,
    /// Subscribers whose record changed.
    folded: u64,
    /// Takeovers that were missing, and were made.
    takeovers: u64,
    /// Deliveries that were missing, and were made: to routes that existed when the event came. On AWS a delivery counts as
    /// missing once the event is an hour old; until then its message may be under way.
    deliveries: u64,
    /// There are more events: call again with the same body and this as `cursor`. Null at the end.
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
    fn outcome(self, next: Option<String>) -> Outcome {
        let Self { events, people, takeovers, deliveries } = self;
        Outcome { events, folded: people.len() as u64, takeovers, deliveries, next }
    }
}

/// A call ends with the batch in which it has dispatched so many events.
const MAX_EVENTS: u64 = 500;
/// People whose events are folded at the same time.
const CONCURRENCY: usize = 8;

pub const REDISPATCH: Route = Route::post(
    "/v1/events/{id}/redispatch",
    OPERATE,
    "Dispatch an event again, and make its records and deliveries that are missing",
    |app, request| Box::pin(redispatch(app, request)),
)
.may_take::<One>()
.answers::<Outcome>();

pub async fn redispatch(app: &App, request: Request) -> Result<Response, Problem> {
    let id: EventId = request.id("event")?;
    let One { dry_run } = input::optional_body(&request)?;
    let event = app.store.event(&id).await?.ok_or_else(|| Problem::not_found("event"))?;
    let redispatch = Redispatch::begin(app, dry_run).await?;
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
    "Dispatch the events of a span of time again, and make the records and deliveries that are missing",
    |app, request| Box::pin(redispatch_span(app, request)),
)
.with_query(&[CURSOR])
.takes::<Span>()
.answers::<Outcome>();

pub async fn redispatch_span(app: &App, request: Request) -> Result<Response, Problem> {
    let span: Span = input::body_with(&request, |body| Ok(span_faults(body)))?;
    // A cursor of another span is refused.
    let list = format!("redispatch {}", serde_json::to_string(&span).map_err(Problem::internal)?);
    let redispatch = Redispatch::begin(app, span.dry_run).await?;
    let listing = app.store.events(Some(span.after), Some(span.before), request.position(&list)?);
    let mut batches = Batches::begin(&app.store, listing).await?;
    let mut tally = Tally::default();
    while let Some(items) = batches.next(|entry| is_of(entry, span.hook.as_ref(), span.event_type.as_deref())).await? {
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
    async fn begin(app: &'a App, dry_run: bool) -> Result<Self, Problem> {
        let planner = Planner { app, routes: routes(app, None).await?, route: None, replay: None, missing_only: true };
        Ok(Self { app, dry_run, planner })
    }

    /// Dispatches events again, by person. One that can't be folded is left out and logged, as dispatch sets it aside.
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
                // One of them is at fault, and the others are not.
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
                tracing::error!(event = events[0].sort, cause = causes(&error), "an event can't be redispatched");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Folds events of one person, or of nobody known.
    async fn fold(&self, events: &[StoredEvent]) -> Result<Redispatched, StoreError> {
        let opened = events.iter().map(StoredEvent::open).collect::<Result<Vec<_>, _>>()?;
        dispatch::redispatch(self.app, &opened, self.dry_run).await
    }

    /// Makes the missing deliveries of folded events, and counts.
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
        tally.deliveries += self.planner.make(plan.deliveries, self.dry_run).await?;
        Ok(())
    }
}
