//! `POST /v1/events/{id}/replay`: new deliveries of a stored event.

use crate::OPERATE;
use app::{App, Route};
use flow::{
    fan_out::{self, Filters, Routes},
    pending,
};
use models::{DeliveryId, EventId, ReplayId, RouteId, StoredDelivery, clock::random};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{StoreError, routes::EventRoute};
use web::{Code, Problem, Request, RequestExt as _, Response, input, respond};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Replay {
    /// Only to this route, which must be enabled. An event that the route does not match, or that does not pass its
    /// filter, is not delivered: `deliveries` is then empty.
    route: Option<RouteId>,
}

#[derive(Serialize, JsonSchema)]
pub struct Replayed {
    replay: ReplayId,
    /// One for each enabled route that matches the event now. Receivers see the event's `webhook-id` again.
    deliveries: Vec<DeliveryId>,
}

pub const ROUTE: Route = Route::post(
    "/v1/events/{id}/replay",
    OPERATE,
    "Replay an event: deliver it again to the routes that match it now",
    |app, request| Box::pin(replay(app, request)),
)
.may_take::<Replay>()
.answers::<Replayed>();

pub async fn replay(app: &App, request: Request) -> Result<Response, Problem> {
    let id: EventId = request.id("event")?;
    let Replay { route } = input::optional_body(&request)?;
    let event = app.store.event(&id).await?.ok_or_else(|| Problem::not_found("event"))?;
    if event.is_erased() {
        return Err(Problem::new(Code::Conflict, "the event's person was erased, so its body can't be delivered"));
    }
    let routes = routes(app, route.as_ref()).await?;
    let replay = ReplayId::new(request.now(), random()?);
    let event = event.open().map_err(StoreError::from)?;
    let matching = routes.of(&event)?.into_iter().filter(|matching| is_named(matching, route.as_ref()));
    let mut deliveries: Vec<StoredDelivery> = matching
        .map(|route| fan_out::delivery(app, &event, route, Some(&replay), pending::with_message(app, request.now())))
        .collect();
    pending::store_and_send(app, &mut deliveries).await?;
    let deliveries = deliveries.into_iter().map(|delivery| delivery.id).collect();
    respond::of_event(id, &Replayed { replay, deliveries })
}

/// The routes of a replay. A route that is named must be active.
pub async fn routes(app: &App, named: Option<&RouteId>) -> Result<Routes, Problem> {
    if let Some(id) = named {
        let route: Option<EventRoute> = app.store.find(id.as_str()).await?;
        let route = route.ok_or_else(|| Problem::not_found("route"))?;
        if route.has_ended(app.now()) {
            return Err(Problem::new(Code::Conflict, "the subscription has ended"));
        }
        if !route.enabled {
            return Err(Problem::new(Code::Conflict, "the route is disabled; enable it first"));
        }
    }
    Ok(Routes::load(app, &Filters::default()).await?)
}

/// True for the named route, or without one for all but subscriptions: their clients did not ask for old events.
pub fn is_named(route: &EventRoute, named: Option<&RouteId>) -> bool {
    named.map_or_else(|| !route.is_subscription(), |named| *named == route.id)
}
