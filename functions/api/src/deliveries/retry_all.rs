//! `POST /v1/deliveries/retry`: retries all deliveries that match a filter.

use super::{list::is_to, retry::is_past, span::EventSpan};
use crate::{CURSOR, OPERATE, batches::Batches, span_faults};
use app::{App, Route};
use flow::pending;
use futures::future::try_join_all;
use models::{DeliveryState, EventId, RouteId, StoredDelivery, Timestamp, causes, delivery::Reason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use store::{Item, StoreError, deliveries::stored_delivery, walk::DeliveryWalk};
use web::{Problem, Request, RequestExt as _, Response, input, respond};

#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RetryFilter {
    /// Only the deliveries to this route.
    route: Option<RouteId>,
    /// Only the deliveries of this event.
    event: Option<EventId>,
    #[serde(default)]
    state: RetryableState,
    /// Only deliveries with this reason. If absent: all except those with `unknown_outcome`, where the platform may have
    /// done the action already, and a retry might do it twice.
    reason: Option<Reason>,
    /// Only deliveries of events accepted after this time.
    after: Option<Timestamp>,
    /// Only deliveries of events accepted before this time.
    before: Option<Timestamp>,
    /// Only counts the deliveries that would be retried.
    #[serde(default)]
    dry_run: bool,
}

/// The states that can be retried in bulk.
#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RetryableState {
    #[default]
    Dead,
    Skipped,
}

#[derive(Default, Serialize, JsonSchema)]
pub struct Retried {
    /// Number of deliveries that were retried, or with `dry_run` would be.
    retried: u64,
    /// Number of deliveries that were skipped: the route is deleted or disabled, the event expired, the person was
    /// erased, or `unknown_outcome` was not requested.
    left: u64,
    /// Null at the end. Otherwise there are more: repeat the call with the same body and this as `cursor`.
    next: Option<String>,
}

/// A call ends with the batch that reaches this number of retried deliveries.
const MAX_RETRIED: u64 = 500;
/// Number of events whose deliveries are read, and of deliveries written, at a time.
const BATCH: usize = 50;
/// Well within API Gateway's timeout.
const TIME: Duration = Duration::from_secs(15);

/// The source of deliveries.
enum DeliverySource<'a> {
    Listed(Batches<'a>),
    /// All deliveries by event, until this instant.
    Walked(DeliveryWalk<'a>, Instant),
    Nowhere,
}

impl DeliverySource<'_> {
    /// The next deliveries. None at the end, or once the call's time is up. Deliveries to other routes are left out if
    /// that takes no extra read.
    async fn next(&mut self, route: Option<&RouteId>) -> Result<Option<Vec<Item>>, StoreError> {
        match self {
            Self::Listed(batches) => batches.next(|entry| is_to(entry, route)).await,
            Self::Walked(walk, deadline) if Instant::now() < *deadline => walk.next(BATCH, |_| true).await,
            Self::Walked(..) | Self::Nowhere => Ok(None),
        }
    }

    /// Start position of the next call; none at the end.
    async fn position(self) -> Result<Option<String>, StoreError> {
        match self {
            Self::Listed(batches) => Ok(batches.position()),
            Self::Walked(walk, _) => walk.position().await,
            Self::Nowhere => Ok(None),
        }
    }
}

pub const ROUTE: Route =
    Route::post("/v1/deliveries/retry", OPERATE, "Retry all dead or all skipped deliveries", |app, request| {
        Box::pin(retry_all(app, request))
    })
    .with_query(&[CURSOR])
    .takes::<RetryFilter>()
    .answers::<Retried>();

pub async fn retry_all(app: &App, request: Request) -> Result<Response, Problem> {
    let filter: RetryFilter = input::body_with(&request, |body| Ok(span_faults(body)))?;
    // The cursor is bound to the filter.
    let list = format!("retry {}", serde_json::to_string(&filter).map_err(Problem::internal)?);
    let routes = active(app).await?;
    let mut source = filter.source(app, request.position(&list)?).await?;
    let mut retried = Retried::default();
    while let Some(items) = source.next(filter.route.as_ref()).await? {
        let (again, left) = filter.split_retryable(items, &routes);
        retried.left += left;
        retried.retried += if filter.dry_run { again.len() as u64 } else { retry(app, again).await? };
        if retried.retried >= MAX_RETRIED {
            break;
        }
    }
    retried.next = request.cursor(&list, source.position().await?);
    respond::ok(&retried)
}

async fn active(app: &App) -> Result<BTreeSet<RouteId>, StoreError> {
    let routes = app.store.readable_routes().await?;
    Ok(routes.into_iter().filter(|route| route.is_active(app.now())).map(|route| route.id).collect())
}

impl RetryFilter {
    async fn source<'a>(&self, app: &'a App, position: Option<String>) -> Result<DeliverySource<'a>, StoreError> {
        let deadline = Instant::now() + TIME;
        let walk = match (&self.event, self.state) {
            (None, RetryableState::Dead) => {
                let listing = self.span().part_of(app.store.dead_letters(position));
                return Ok(DeliverySource::Listed(Batches::start(&app.store, listing).await?));
            }
            (None, RetryableState::Skipped) => app.store.walk_events(self.after, self.before, position).await?,
            (Some(event), _) if self.span().contains(event) => app.store.walk_event(event, position),
            (Some(_), _) => return Ok(DeliverySource::Nowhere),
        };
        Ok(DeliverySource::Walked(walk, deadline))
    }

    const fn span(&self) -> EventSpan {
        EventSpan { after: self.after, before: self.before }
    }

    /// The deliveries that can be retried, and the number of others in the state.
    fn split_retryable(&self, items: Vec<Item>, routes: &BTreeSet<RouteId>) -> (Vec<StoredDelivery>, u64) {
        let state = match self.state {
            RetryableState::Dead => DeliveryState::Dead,
            RetryableState::Skipped => DeliveryState::Skipped,
        };
        // An unreadable delivery must not block the others.
        let readable = items.into_iter().filter_map(|item| {
            let read = stored_delivery(item);
            read.inspect_err(|error| {
                tracing::error!(cause = causes(&error), "a delivery can't be read and was not retried")
            })
            .ok()
        });
        let (again, left): (Vec<_>, Vec<_>) = readable
            .filter(|delivery| delivery.state == state && (self.reason.is_none() || delivery.reason == self.reason))
            .filter(|delivery| self.route.as_ref().is_none_or(|route| delivery.route == *route))
            .partition(|delivery| routes.contains(&delivery.route) && !is_past(delivery) && self.may_repeat(delivery));
        (again, left.len() as u64)
    }

    fn may_repeat(&self, delivery: &StoredDelivery) -> bool {
        self.reason.is_some() || delivery.reason != Some(Reason::UnknownOutcome)
    }
}

/// Retries deliveries. Returns their number.
async fn retry(app: &App, mut deliveries: Vec<StoredDelivery>) -> Result<u64, Problem> {
    let mut count = 0;
    while !deliveries.is_empty() {
        let batch = deliveries.split_off(deliveries.len().saturating_sub(BATCH));
        count += retry_batch(app, batch).await?;
    }
    Ok(count)
}

/// Retries deliveries concurrently. One that was changed in the meantime is not counted.
async fn retry_batch(app: &App, deliveries: Vec<StoredDelivery>) -> Result<u64, Problem> {
    let now = app.now();
    let written = try_join_all(deliveries.into_iter().map(|mut delivery| async move {
        delivery.retry(pending::with_message(app, now));
        match app.store.update_delivery(&mut delivery, now).await {
            Ok(()) => Ok(Some(delivery)),
            Err(StoreError::Condition(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }));
    let retried: Vec<StoredDelivery> = written.await?.into_iter().flatten().collect();
    pending::send_or_leave(app, &retried).await;
    Ok(retried.len() as u64)
}
