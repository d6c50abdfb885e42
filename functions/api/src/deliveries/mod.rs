//! Deliveries: events on their way to routes' targets. Listed, got, retried.

mod retry;
mod retry_all;

use crate::{ADMIN, CURSOR, LIMIT, READ};
use http::{Method, StatusCode};
use models::{
    DeliveryId, DeliveryState, EventId, RouteId,
    delivery::{Delivery, DeliveryKey},
};
use runtime::{
    App, Body, Call, Function, Problem, Query, Reply, Route,
    store::{Item, StoreError, deliveries::stored_delivery, list::Entry},
};
use schemars::schema_for;
use serde_json::value::{RawValue, to_raw_value};

pub static FUNCTION: Function = Function {
    name: "api-deliveries",
    routes: &[
        Route {
            method: Method::GET,
            path: "/v1/deliveries",
            access: READ,
            summary: "List the deliveries",
            query: &[
                Query { name: "route", description: "Only the deliveries to this route." },
                Query { name: "event", description: "Only the deliveries of this event." },
                Query {
                    name: "state",
                    description: "Only those in this state: `pending`, `succeeded`, `dead` or `skipped`. Where `pending` \
                                  comes without `event`, the list goes by when a delivery is looked for, the latest \
                                  first.",
                },
                LIMIT,
                CURSOR,
            ],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of(schema_for!(Delivery)))),
            handler: |app, call| Box::pin(list(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/deliveries/retry",
            access: ADMIN,
            summary: "Retry all deliveries that are dead, or skipped",
            query: &[CURSOR],
            body: Body::Required(|| schema_for!(retry_all::Retrying)),
            success: (StatusCode::OK, Some(|| schema_for!(retry_all::Retried))),
            handler: |app, call| Box::pin(retry_all::retry_all(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/deliveries/{id}",
            access: READ,
            summary: "Get a delivery with its attempts",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(Delivery))),
            handler: |app, call| Box::pin(get(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/deliveries/{id}/retry",
            access: ADMIN,
            summary: "Begin a dead or skipped delivery anew, or make the next attempt of a pending one now",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(Delivery))),
            handler: |app, call| Box::pin(retry::retry(app, call)),
        },
    ],
    direct: None,
    settings: Vec::new,
};

async fn list(app: &App, call: Call) -> Result<Reply, Problem> {
    let (route, event) = (call.query_id::<RouteId>("route")?, call.query_id::<EventId>("event")?);
    let (state, limit) = (state(&call)?, call.limit()?);
    // A cursor is bound to the filters, and they say which index its position is of.
    let position = call.position("deliveries")?;
    let listing = match (event, state) {
        (Some(event), _) => app.store.deliveries_of(&event, position),
        (None, Some(DeliveryState::Dead)) => app.store.dead_letters(position),
        (None, Some(DeliveryState::Pending)) => app.store.pending_deliveries(position),
        (None, _) => app.store.deliveries(position),
    };
    let wanted = |entry: &Entry| is_to(entry, route.as_ref());
    let show = |item: Item| -> Result<Option<Box<RawValue>>, StoreError> {
        let delivery = stored_delivery(item)?;
        let wanted = state.is_none_or(|state| delivery.state == state);
        Ok(if wanted { Some(to_raw_value(&delivery.into_delivery())?) } else { None })
    };
    let page = app.store.page_of(listing, limit, wanted, show).await?;
    Reply::page(page.items, call.cursor("deliveries", page.next))
}

fn state(call: &Call) -> Result<Option<DeliveryState>, Problem> {
    let Some(text) = call.query("state") else { return Ok(None) };
    let state = DeliveryState::parse(&text);
    state.map(Some).ok_or_else(|| Problem::invalid_query("state", "is not pending, succeeded, dead or skipped"))
}

/// Whether an entry of a list is of a delivery to this route, or to any if none is named.
fn is_to(entry: &Entry, route: Option<&RouteId>) -> bool {
    route.is_none_or(|route| DeliveryKey::parse(&entry.sort).is_some_and(|key| key.route == *route))
}

async fn get(app: &App, call: Call) -> Result<Reply, Problem> {
    let id: DeliveryId = call.id("delivery")?;
    let delivery = app.store.delivery(&id).await?.ok_or_else(|| Problem::not_found("delivery"))?;
    Reply::ok(&delivery.into_delivery())
}
