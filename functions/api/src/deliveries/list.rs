//! `GET /v1/deliveries`. Deliveries are found in one of three places: those of an event beside it, pending ones in the
//! index of due deliveries, and dead letters in their index. All others are found through the events, newest first.

use super::{
    expand::{ListedDelivery, expand},
    span::EventSpan,
};
use crate::{CURSOR, LIMIT, READ};
use app::{App, Route};
use http::StatusCode;
use models::{
    DeliveryState, EventId, RouteId, StoredDelivery, Timestamp,
    delivery::{DeliveryKey, Reason},
    event::EventKey,
};
use serde_json::value::{RawValue, to_raw_value};
use store::{
    Item, StoreError,
    deliveries::stored_delivery,
    list::{Entry, Page},
    routes::EventRoute,
};
use web::{Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

/// Largest difference between the clocks of two functions, in milliseconds.
const SKEW_MILLIS: u64 = 60_000;

/// The filters of a request.
struct DeliveryFilter {
    /// The current route; none if it was deleted or no route was given.
    route: Option<EventRoute>,
    id: Option<RouteId>,
    state: Option<DeliveryState>,
    reason: Option<Reason>,
    span: EventSpan,
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
        Query {
            name: "reason",
            description: "Only dead or skipped deliveries with this reason.",
            value: QueryValue::OneOf(Reason::NAMES),
        },
        Query {
            name: "after",
            description: "Only deliveries of events accepted after this RFC 3339 time.",
            value: QueryValue::Time,
        },
        Query {
            name: "before",
            description: "Only deliveries of events accepted before this RFC 3339 time.",
            value: QueryValue::Time,
        },
        Query {
            name: "expand",
            description: "`event` adds `event_type`, and `subscriber` with the person's `id`, `platform_id` and `name`.",
            value: QueryValue::OneOf(&["event"]),
        },
        LIMIT,
        CURSOR,
    ])
    .answers_with(StatusCode::OK, crate::page_of_any::<ListedDelivery>);

pub async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let (id, event) = (request.query_id::<RouteId>("route")?, request.query_id::<EventId>("event")?);
    let (reason, is_expanded) = (reason(&request)?, is_expanded(&request)?);
    // Most reasons belong to one state, whose index is shorter.
    let state = state(&request)?.or_else(|| reason.and_then(Reason::state));
    let span = EventSpan { after: request.query_time("after")?, before: request.query_time("before")? };
    let limit = request.limit()?;
    // A cursor is bound to the filters, which determine the meaning of its position.
    let position = request.position("deliveries")?;
    let mut wanted = DeliveryFilter { route: None, id, state, reason, span };
    let page = match (event, state) {
        (Some(event), _) if !span.contains(&event) => Page::default(),
        (Some(event), _) => {
            let walk = app.store.walk_event(&event, position);
            app.store.page_of_walk(walk, limit, |_| true, |item| wanted.show(item)).await?
        }
        (None, Some(DeliveryState::Dead)) => {
            let letters = span.part_of(app.store.dead_letters(position));
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
            let walk = app.store.walk_events(span.after, span.before, position).await?;
            app.store.page_of_walk(walk, limit, |key| wanted.may_have(key), |item| wanted.show(item)).await?
        }
    };
    let items = if is_expanded { expand(app, page.items).await? } else { page.items };
    respond::page(items, request.cursor("deliveries", page.next))
}

fn reason(request: &Request) -> Result<Option<Reason>, Problem> {
    let Some(text) = request.query("reason") else { return Ok(None) };
    let unknown = || Problem::invalid_query("reason", &format!("must be one of {}", Reason::NAMES.join(", ")));
    Reason::parse(&text).map(Some).ok_or_else(unknown)
}

fn is_expanded(request: &Request) -> Result<bool, Problem> {
    match request.query("expand").as_deref() {
        None => Ok(false),
        Some("event") => Ok(true),
        Some(_) => Err(Problem::invalid_query("expand", "must be event or left out")),
    }
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
            && DeliveryKey::parse(&entry.sort).is_none_or(|key| self.span.contains(&key.id.event()))
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
            && (self.reason.is_none() || delivery.reason == self.reason)
            && self.id.as_ref().is_none_or(|id| delivery.route == *id)
    }

    fn show(&self, item: Item) -> Result<Option<Box<RawValue>>, StoreError> {
        let delivery = stored_delivery(item)?;
        Ok(if self.is(&delivery) { Some(to_raw_value(&delivery.into_delivery())?) } else { None })
    }
}
