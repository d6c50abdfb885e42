//! The events that the product tells of itself: a route that fails or has recovered, a delivery that is dead. They are
//! kept and routed like any other.

use models::{
    StoredDelivery, StoredEvent,
    ids::ContentKey,
    own_event::{DELIVERY_DEAD, OfRoute, ROUTE_DISABLED, ROUTE_FAILING, ROUTE_RECOVERED},
};
use runtime::{
    App,
    store::{health::RouteHealth, routes::EventRoute},
};
use serde_json::{Map, Value, json};

/// What a change of a route's health tells.
pub fn of_health(app: &App, route: &EventRoute, health: &RouteHealth) -> StoredEvent {
    let event_type = if health.failing { ROUTE_FAILING } else { ROUTE_RECOVERED };
    let key = format!("{} {}", event_type, health.version);
    of_route(app, route, event_type, &key, [("since".to_owned(), json!(health.since))])
}

/// What the disabling of a route tells.
pub fn of_disabled(app: &App, route: &EventRoute) -> StoredEvent {
    let key = format!("{ROUTE_DISABLED} {}", route.version);
    of_route(app, route, ROUTE_DISABLED, &key, [("since".to_owned(), json!(route.updated_at))])
}

/// What a dead delivery tells. Nothing that its target said: a person may be in it.
pub fn of_dead(app: &App, route: &EventRoute, delivery: &StoredDelivery) -> StoredEvent {
    let key = format!("{DELIVERY_DEAD} {} {}", delivery.id, delivery.retried);
    let told = json!({
        "id": delivery.id,
        "event": delivery.event,
        "reason": delivery.reason,
        "attempts": delivery.tried,
        "status": delivery.attempts.last().and_then(|attempt| attempt.status),
    });
    of_route(app, route, DELIVERY_DEAD, &key, [("delivery".to_owned(), told)])
}

fn of_route(app: &App, route: &EventRoute, event_type: &str, key: &str, told: [(String, Value); 1]) -> StoredEvent {
    let now = app.now();
    let mut data = Map::from_iter([("route".to_owned(), json!({ "id": route.id, "name": route.name }))]);
    data.extend(told);
    let of = OfRoute { route: &route.id, event_type, data, expires: app.event_expires() };
    StoredEvent::of_route(now, ContentKey::of_route(&route.id, &[key.as_bytes()]), of)
}
