//! `GET /v1/deliveries`. Deliveries are found in one of three places: those of an event beside it, pending ones in the
//! index of due deliveries, and dead letters in their index. All others are found through the events, newest first.

use crate::{CURSOR, LIMIT, READ};
use app::{App, Route};
use http::StatusCode;
use models::{
    DeliveryState, EventId, RouteId, StoredDelivery, Timestamp,
    delivery::{Delivery, DeliveryKey},
    event::EventKey,
};
use serde_json::value::{RawValue, to_raw_value};
use store::{Item, StoreError, deliveries::stored_delivery, list::Entry, routes::EventRoute};
use web::{Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

/// Largest difference between the clocks of two functions, in milliseconds.
const SKEW_MILLIS: u64 = 60_000;

/// The filters of a request.
struct DeliveryFilter {
    /// The current route; none if it was deleted or no route was given.
    route: Option<EventRoute>,
    id: Option<RouteId>,
    state: Option<DeliveryState>,
}

pub const ROUTE: Route =
    Route::get("/v1/deliveries", READ, "List deliveries, those of the newest event first", |app, request| {
        Box::pin(list(app, request))
    })
    .with_query(&[
        Query {
            name: "route",
            description: "Only the deliveries to this route.",
            value: QueryValue::Id(RouteId::PATTERN),
        },
        Query {
            name: "event",
            description: "Only the deliveries of this event.",
            value: QueryValue::Id(EventId::PATTERN),
        },
        Query {
            name: "state",
            description: "Only deliveries in this state: `pending`, `succeeded`, `dead` or `skipped`. Without `event`, `pending` lists by next check, latest first; then come deliveries of the last hour's events that have not been attempted yet.",
            value: QueryValue::OneOf(DeliveryState::NAMES),
        },
        LIMIT,
        CURSOR,
    ])
    .answers_with(StatusCode::OK, crate::page_of_any::<Delivery>);

pub async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let (id, event) = (request.query_id::<RouteId>("route")?, request.query_id::<EventId>("event")?);
    let (state, limit) = (state(&request)?, request.limit()?);
    // A cursor is bound to the filters, which determine the meaning of its position.
    let position = request.position("deliveries")?;
    let mut wanted = DeliveryFilter { route: None, id, state };
    let page = match (event, state) {
        (Some(event), _) => {
            let walk = app.store.walk_event(&event, position);
            app.store.page_of_walk(walk, limit, |_| true, |item| wanted.show(item)).await?
        }
        (None, Some(DeliveryState::Dead)) => {
            let letters = app.store.dead_letters(position);
            app.store
                .page_of(letters, limit, |entry| wanted.takes(entry), delivery_id, |item| wanted.show(item))
                .await?
        }
        (None, Some(DeliveryState::Pending)) => {
            let due = app.store.pending_deliveries(position);
            app.store.page_of(due, limit, |entry| wanted.takes(entry), delivery_id, |item| wanted.show(item)).await?
        }
        (None, _) => {
            wanted.find_route(app).await?;
            let walk = app.store.walk_events(None, None, position).await?;
            app.store.page_of_walk(walk, limit, |key| wanted.may_have(key), |item| wanted.show(item)).await?
        }
    };
    respond::page(page.items, request.cursor("deliveries", page.next))
}

fn state(request: &Request) -> Result<Option<DeliveryState>, Problem> {
    let Some(text) = request.query("state") else { return Ok(None) };
    let state = DeliveryState::parse(&text);
    state.map(Some).ok_or_else(|| Problem::invalid_query("state", "must be pending, succeeded, dead or skipped"))
}

/// The id of an entry's delivery.
fn delivery_id(entry: &Entry) -> Option<String> {
    DeliveryKey::parse(&entry.sort).map(|key| key.id.to_string())
}

/// True if an entry's delivery goes to this route, or if no route is given.
pub fn is_to(entry: &Entry, route: Option<&RouteId>) -> bool {
    route.is_none_or(|route| DeliveryKey::parse(&entry.sort).is_some_and(|key| key.route == *route))
}

impl DeliveryFilter {
    async fn find_route(&mut self, app: &App) -> Result<(), StoreError> {
        if let Some(id) = &self.id {
            self.route = app.store.find(id.as_str()).await?;
        }
        Ok(())
    }

    fn takes(&self, entry: &Entry) -> bool {
        is_to(entry, self.id.as_ref())
    }

    /// True if an event may have deliveries to the route. Events from before the route's last change may have
    /// deliveries by its earlier settings.
    fn may_have(&self, event: &EventKey) -> bool {
        self.route.as_ref().is_none_or(|route| {
            let unchanged_since = Timestamp::from_millis(route.updated_at.millis() + SKEW_MILLIS);
            event.id.time() <= unchanged_since || route.may_match(event)
        })
    }

    fn is(&self, delivery: &StoredDelivery) -> bool {
        self.state.is_none_or(|state| delivery.state == state)
            && self.id.as_ref().is_none_or(|id| delivery.route == *id)
    }

    fn show(&self, item: Item) -> Result<Option<Box<RawValue>>, StoreError> {
        let delivery = stored_delivery(item)?;
        Ok(if self.is(&delivery) { Some(to_raw_value(&delivery.into_delivery())?) } else { None })
    }
}
