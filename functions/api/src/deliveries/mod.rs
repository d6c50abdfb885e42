//! Deliveries: listed, read and retried.

mod list;
mod retry;
mod retry_all;

use crate::{CURSOR, LIMIT, OPERATE, READ};
use app::{App, Function, Route};
use http::{Method, StatusCode};
use models::{DeliveryId, DeliveryState, EventId, RouteId, StoredDelivery, delivery::Delivery};
use schemars::schema_for;
use serde_json::value::to_raw_value;
use web::{Body, Problem, Query, QueryValue, Request, RequestExt as _, Response};

pub static FUNCTION: Function = Function {
    name: "api-deliveries",
    routes: &[
        Route {
            method: Method::GET,
            path: "/v1/deliveries",
            access: READ,
            summary: "List deliveries, those of the newest event first",
            query: &[
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
                    description: "Only deliveries in this state: `pending`, `succeeded`, `dead` or `skipped`. Without `event`, \
                                  `pending` lists by next check, latest first; then come deliveries of the last hour's \
                                  events that have not been attempted yet.",
                    value: QueryValue::OneOf(DeliveryState::NAMES),
                },
                LIMIT,
                CURSOR,
            ],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(schema_for!(Delivery)))),
            handler: |app, request| Box::pin(list::list(app, request)),
        },
        Route {
            method: Method::POST,
            path: "/v1/deliveries/retry",
            access: OPERATE,
            summary: "Retry all dead or all skipped deliveries",
            query: &[CURSOR],
            body: Body::Required(|| schema_for!(retry_all::Retrying)),
            success: (StatusCode::OK, Some(|| schema_for!(retry_all::Retried))),
            handler: |app, request| Box::pin(retry_all::retry_all(app, request)),
        },
        Route {
            method: Method::GET,
            path: "/v1/deliveries/{id}",
            access: READ,
            summary: "Get a delivery with its attempts",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(Delivery))),
            handler: |app, request| Box::pin(get(app, request)),
        },
        Route {
            method: Method::POST,
            path: "/v1/deliveries/{id}/retry",
            access: OPERATE,
            summary: "Retry a dead or skipped delivery with all attempts, or attempt a pending one now",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(Delivery))),
            handler: |app, request| Box::pin(retry::retry(app, request)),
        },
    ],
    direct: None,
    settings: Vec::new,
};

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let id: DeliveryId = request.id("delivery")?;
    let show = |delivery: StoredDelivery| Ok(Some(to_raw_value(&delivery.into_delivery())?));
    crate::reply_or_id(id.as_str(), "delivery", app.store.delivery(&id).await, show)
}
