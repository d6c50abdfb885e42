//! `POST /v1/events/replay`: new deliveries of all stored events of a time span, or only the missing ones.

use super::{
    plan::{Planner, is_selected, stored},
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
pub struct ReplaySpan {
    /// Only events of this hook.
    hook: Option<HookId>,
    /// Only events of this type; `*` matches any characters.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Only to this route, which must be enabled.
    route: Option<RouteId>,
    /// Only events accepted after this time.
    after: Timestamp,
    /// Only events accepted before this time.
    before: Timestamp,
    /// True to count without creating anything.
    #[serde(default)]
    dry_run: bool,
    /// True to create only missing deliveries: those to routes that existed when the event was accepted, by their
    /// current settings. On AWS a delivery is stored with its first attempt, so it is missing if it was not attempted
    /// within an hour, or if its route was changed since the event. Events older than `DELIVERY_TTL_DAYS` are left out:
    /// their deliveries may have expired.
    #[serde(default)]
    missing_only: bool,
}

#[derive(Serialize, JsonSchema)]
pub struct Replayed {
    /// Null for a dry run and with `missing_only`.
    replay: Option<ReplayId>,
    /// Number of events that match at least one route. Events of erased persons are not counted.
    events: u64,
    /// Number of deliveries that were created, or would be in a dry run. Deliveries that an earlier call with the same
    /// `cursor` created are neither created again nor counted.
    deliveries: u64,
    /// Number of earlier deliveries of these events to these routes.
    delivered_before: u64,
    /// Null at the end. Otherwise there are more: repeat the call with the same body and this as `cursor`.
    next: Option<String>,
}

/// A call ends with the batch that reaches this number of events with a route.
const MAX_EVENTS: u64 = 500;
pub const ROUTE: Route = Route::post(
    "/v1/events/replay",
    OPERATE,
    "Replay the events of a time span, or create its missing deliveries",
    |app, request| Box::pin(replay_span(app, request)),
)
.with_query(&[CURSOR])
.takes::<ReplaySpan>()
.answers::<Replayed>();

pub async fn replay_span(app: &App, request: Request) -> Result<Response, Problem> {
    let span: ReplaySpan = input::body_with(&request, |body| Ok(span_faults(body)))?;
    // The cursor is bound to the span.
    let list = format!("replay {}", serde_json::to_string(&span).map_err(Problem::internal)?);
    let (replay, position) = span.start(&request, &list)?;
    let planner = Planner {
        app,
        routes: routes(app, span.route.as_ref()).await?,
        route: span.route.clone(),
        replay: replay.clone(),
        missing_only: span.missing_only,
    };
    let listing = app.store.events(Some(span.after), Some(span.before), position);
    let mut batches = Batches::start(&app.store, listing).await?;
    let (mut events, mut deliveries, mut delivered_before) = (0, 0, 0);
    while let Some(items) =
        batches.next(|entry| is_selected(entry, span.hook.as_ref(), span.event_type.as_deref())).await?
    {
        let plan = planner.plan(stored(items)).await?;
        events += plan.events;
        delivered_before += plan.delivered_before;
        deliveries += planner.create(plan.deliveries, span.dry_run).await?;
        if events >= MAX_EVENTS {
            break;
        }
    }
    let next = request.cursor(&list, batches.position().map(|position| cursor_position(replay.as_ref(), &position)));
    respond::ok(&Replayed { replay, events, deliveries, delivered_before, next })
}

/// Placeholder in a cursor without a replay.
const NO_REPLAY: &str = "-";

/// A cursor's position, with the replay that continues there. So a repeated call creates the same deliveries.
fn cursor_position(replay: Option<&ReplayId>, position: &str) -> String {
    format!("{} {position}", replay.map_or(NO_REPLAY, ReplayId::as_str))
}

impl ReplaySpan {
    /// The replay of a call, and its start position.
    fn start(&self, request: &Request, list: &str) -> Result<(Option<ReplayId>, Option<String>), Problem> {
        let Some(position) = request.position(list)? else {
            let replays = !self.dry_run && !self.missing_only;
            return Ok((
                replays.then(|| random().map(|random| ReplayId::new(request.now(), random))).transpose()?,
                None,
            ));
        };
        let forged = || Problem::invalid_query("cursor", "must be the `next` of a page of this list");
        let (replay, position) = position.split_once(' ').ok_or_else(forged)?;
        let replay = match replay {
            NO_REPLAY => None,
            replay => Some(replay.parse().map_err(|_| forged())?),
        };
        Ok((replay, Some(position.to_owned())))
    }
}
