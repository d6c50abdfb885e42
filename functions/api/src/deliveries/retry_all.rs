//! `POST /v1/deliveries/retry`: retries all that a filter takes.

use super::{is_to, retry::is_past};
use crate::{batches::Batches, span_faults};
use flow::pending;
use futures::future::try_join_all;
use models::{
    DeliveryId, DeliveryState, EventId, RouteId, StoredDelivery, Timestamp, delivery::Reason, ids::lower_bound,
};
use runtime::{
    App, Call, Problem, Reply, input,
    log::causes,
    store::{Item, StoreError, deliveries::stored_delivery, list::Listing},
};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retrying {
    /// Only the deliveries to this route.
    route: Option<RouteId>,
    /// Only the deliveries of this event.
    event: Option<EventId>,
    #[serde(default)]
    state: Over,
    /// Only those that are in the state for this reason. Left out: for any but `unknown_outcome`, as what may have been done
    /// might be done twice.
    reason: Option<Reason>,
    /// Only the deliveries of events, or of replays, that came after this.
    after: Option<Timestamp>,
    /// Only the deliveries of events, or of replays, that came before this.
    before: Option<Timestamp>,
}

/// The states that can be retried together.
#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Over {
    #[default]
    Dead,
    Skipped,
}

#[derive(Default, Serialize, JsonSchema)]
pub struct Retried {
    /// How many deliveries begin anew.
    retried: u64,
    /// How many were left as they are: their route is gone or disabled, or their event is, or its person was erased, or
    /// they are `unknown_outcome` and that was not asked for.
    left: u64,
    /// There are more: call again with the same body and this as `cursor`. Null at the end.
    next: Option<String>,
}

/// A call ends with the batch in which it has retried so many.
const MOST: u64 = 500;

pub async fn retry_all(app: &App, call: Call) -> Result<Reply, Problem> {
    let retrying: Retrying = input::body_with(&call, &schema_for!(Retrying), |body| Ok(span_faults(body)))?;
    // A cursor of another filter is refused.
    let list = format!("retry {}", serde_json::to_string(&retrying).map_err(Problem::internal)?);
    let routes = enabled(app).await?;
    let mut batches = Batches::begin(&app.store, retrying.listing(app, call.position(&list)?)).await?;
    let mut retried = Retried::default();
    while let Some(items) = batches.next(|entry| is_to(entry, retrying.route.as_ref())).await? {
        let (again, left) = retrying.sort_out(items, &routes);
        retried.left += left;
        retried.retried += retry(app, again).await?;
        if retried.retried >= MOST {
            break;
        }
    }
    retried.next = call.cursor(&list, batches.position());
    Reply::ok(&retried)
}

async fn enabled(app: &App) -> Result<BTreeSet<RouteId>, StoreError> {
    let routes = app.store.readable_routes().await?;
    Ok(routes.into_iter().filter(|route| route.enabled).map(|route| route.id).collect())
}

impl Retrying {
    fn listing<'a>(&self, app: &'a App, position: Option<String>) -> Listing<'a> {
        let listing = match (&self.event, self.state) {
            (Some(event), _) => app.store.deliveries_of(event, position),
            (None, Over::Dead) => app.store.dead_letters(position),
            (None, Over::Skipped) => app.store.deliveries(position),
        };
        let bound = |at: Timestamp| lower_bound(DeliveryId::PREFIX, at);
        let from = self.after.map(|after| bound(Timestamp::from_millis(after.millis() + 1)));
        let until = self.before.map(bound);
        Listing {
            from: from.unwrap_or(listing.from),
            until: until.map_or(listing.until.clone(), |until| until.min(listing.until)),
            ..listing
        }
    }

    /// The deliveries that can begin anew, and how many others there are in the state.
    fn sort_out(&self, items: Vec<Item>, routes: &BTreeSet<RouteId>) -> (Vec<StoredDelivery>, u64) {
        let state = match self.state {
            Over::Dead => DeliveryState::Dead,
            Over::Skipped => DeliveryState::Skipped,
        };
        // One that can't be read must not keep the others.
        let readable = items.into_iter().filter_map(|item| {
            let read = stored_delivery(item);
            read.inspect_err(|error| tracing::error!(cause = causes(&error), "a delivery was left out")).ok()
        });
        let (again, left): (Vec<_>, Vec<_>) = readable
            .filter(|delivery| delivery.state == state && (self.reason.is_none() || delivery.reason == self.reason))
            .partition(|delivery| routes.contains(&delivery.route) && !is_past(delivery) && self.may_repeat(delivery));
        (again, left.len() as u64)
    }

    fn may_repeat(&self, delivery: &StoredDelivery) -> bool {
        self.reason.is_some() || delivery.reason != Some(Reason::UnknownOutcome)
    }
}

/// Begins deliveries anew; how many. One that something else has changed meanwhile is that one's affair.
async fn retry(app: &App, deliveries: Vec<StoredDelivery>) -> Result<u64, Problem> {
    let now = app.now();
    let written = try_join_all(deliveries.into_iter().map(|mut delivery| async move {
        delivery.retry(pending::until(app, now));
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
