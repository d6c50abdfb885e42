//! Switchboard's own events: a route is failing, has recovered or was disabled, or a delivery is dead. They are stored
//! and routed like any other event.

use app::App;
use models::{
    StoredDelivery, StoredEvent,
    ids::ContentKey,
    own_event::{DELIVERY_DEAD, ROUTE_DISABLED, ROUTE_FAILING, ROUTE_RECOVERED, RouteEvent},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::{
    health::RouteHealth,
    routes::{DisabledReason, EventRoute},
};

/// The reason why a route no longer counts as failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// An attempt succeeded.
    Succeeded,
    /// A new target was saved, or the route selects other events and the failures were caused by events' content.
    Changed,
    Enabled,
    Deleted,
}

/// `switchboard.route.failing`.
pub fn of_failing(app: &App, route: &EventRoute, health: &RouteHealth) -> StoredEvent {
    of_route(app, route, ROUTE_FAILING, &health_key(ROUTE_FAILING, health), json!({ "since": health.since }))
}

/// `switchboard.route.recovered`.
pub fn of_recovered(app: &App, route: &EventRoute, health: &RouteHealth, reason: Recovery) -> StoredEvent {
    let data = json!({ "since": health.since, "reason": reason });
    of_route(app, route, ROUTE_RECOVERED, &health_key(ROUTE_RECOVERED, health), data)
}

/// `switchboard.route.disabled`. `failing` is the health of a route that was disabled for failing.
pub fn of_disabled(
    app: &App,
    route: &EventRoute,
    reason: DisabledReason,
    failing: Option<&RouteHealth>,
) -> StoredEvent {
    let key = format!("{ROUTE_DISABLED} {}", route.version);
    let mut data = json!({ "since": route.updated_at, "reason": reason });
    if let Some(health) = failing {
        data["failing_since"] = json!(health.since);
    }
    of_route(app, route, ROUTE_DISABLED, &key, data)
}

/// `switchboard.delivery.dead`, without the target's answer, which may contain personal data. It continues the hop
/// count of the delivery's event, so that a loop through events of this type ends as well.
pub fn of_dead(app: &App, route: &EventRoute, delivery: &StoredDelivery, hops: u8) -> StoredEvent {
    let key = format!("{DELIVERY_DEAD} {} {}", delivery.id, delivery.manual_retries);
    let data = json!({ "delivery": {
        "id": delivery.id,
        "event": delivery.event,
        "reason": delivery.reason,
        "attempts": delivery.attempts_made,
        "status": delivery.attempts.last().and_then(|attempt| attempt.status),
    } });
    StoredEvent { hops, ..of_route(app, route, DELIVERY_DEAD, &key, data) }
}

/// The version alone is not unique: earlier releases deleted a health record, and its version then restarted at 0.
fn health_key(event_type: &str, health: &RouteHealth) -> String {
    format!("{event_type} {} {}", health.version, health.since)
}

fn of_route(app: &App, route: &EventRoute, event_type: &str, key: &str, fields: Value) -> StoredEvent {
    let mut data = Map::from_iter([("route".to_owned(), json!({ "id": route.id, "name": route.name }))]);
    if let Value::Object(fields) = fields {
        data.extend(fields);
    }
    let of = RouteEvent { route: &route.id, event_type, data, expires: app.event_expires() };
    StoredEvent::of_route(app.now(), ContentKey::of_route(&route.id, &[key.as_bytes()]), of)
}
