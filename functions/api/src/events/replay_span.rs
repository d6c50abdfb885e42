//! `POST /v1/events/replay`: new deliveries of the kept events of a span of time, or just those that it lacks.

use super::{
    plan::{Planner, is_of, stored},
    replay::routes,
};
use crate::{CURSOR, OPERATE, batches::Batches, span_faults};
use app::{App, Route};
use models::{HookId, ReplayId, RouteId, Timestamp, clock::random};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use web::{Problem, Request, RequestExt as _, Response, input, respond};

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
pub const ROUTE: Route = Route::post(
    "/v1/events/replay",
    OPERATE,
    "Replay the events of a span of time, or make the deliveries that it lacks",
    |app, request| Box::pin(replay_span(app, request)),
)
.with_query(&[CURSOR])
.takes::<Span>()
.answers::<Replayed>();

pub async fn replay_span(app: &App, request: Request) -> Result<Response, Problem> {
    let span: Span = input::body_with(&request, |body| Ok(span_faults(body)))?;
    // A cursor of another span is refused.
    let list = format!("replay {}", serde_json::to_string(&span).map_err(Problem::internal)?);
    let (replay, position) = span.place(&request, &list)?;
    let planner = Planner {
        app,
        routes: routes(app, span.route.as_ref()).await?,
        route: span.route.clone(),
        replay: replay.clone(),
        missing_only: span.missing_only,
    };
    let listing = app.store.events(Some(span.after), Some(span.before), position);
    let mut batches = Batches::begin(&app.store, listing).await?;
    let (mut events, mut deliveries, mut delivered_before) = (0, 0, 0);
    while let Some(items) = batches.next(|entry| is_of(entry, span.hook.as_ref(), span.event_type.as_deref())).await? {
        let plan = planner.plan(stored(items)).await?;
        events += plan.events;
        delivered_before += plan.delivered_before;
        deliveries += planner.make(plan.deliveries, span.dry_run).await?;
        if events >= MOST {
            break;
        }
    }
    let next = request.cursor(&list, batches.position().map(|position| placed(replay.as_ref(), &position)));
    respond::ok(&Replayed { replay, events, deliveries, delivered_before, next })
}

/// What stands in a cursor for no replay.
const NONE: &str = "-";

/// A position with the replay that goes on there: a call that is repeated makes the same deliveries.
fn placed(replay: Option<&ReplayId>, position: &str) -> String {
    format!("{} {position}", replay.map_or(NONE, ReplayId::as_str))
}

impl Span {
    /// The replay of a call, and the position at which it begins.
    fn place(&self, request: &Request, list: &str) -> Result<(Option<ReplayId>, Option<String>), Problem> {
        let Some(placed) = request.position(list)? else {
            let replays = !self.dry_run && !self.missing_only;
            return Ok((
                replays.then(|| random().map(|random| ReplayId::new(request.now(), random))).transpose()?,
                None,
            ));
        };
        let forged = || Problem::invalid_query("cursor", "is not a cursor of this list");
        let (replay, position) = placed.split_once(' ').ok_or_else(forged)?;
        let replay = match replay {
            NONE => None,
            replay => Some(replay.parse().map_err(|_| forged())?),
        };
        Ok((replay, Some(position.to_owned())))
    }
}
