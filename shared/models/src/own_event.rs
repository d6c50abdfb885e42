//! Switchboard's own events, about its routes and deliveries.

use crate::{
    event::{EventKey, Origin, PLAIN, StoredEvent, list_key},
    ids::{ContentKey, EventId, RouteId},
    time::Timestamp,
};
use payload::mapping::Reading;
use serde_json::{Map, Value};

/// The content of an event about a route.
pub struct RouteEvent<'a> {
    pub route: &'a RouteId,
    pub event_type: &'a str,
    pub data: Map<String, Value>,
    pub expires: Timestamp,
}

/// The types of Switchboard's own events.
pub const OWN_TYPES: [&str; 4] = [ROUTE_FAILING, ROUTE_RECOVERED, ROUTE_DISABLED, DELIVERY_DEAD];
pub const ROUTE_FAILING: &str = "switchboard.route.failing";
pub const ROUTE_RECOVERED: &str = "switchboard.route.recovered";
/// Switchboard disabled the route: its target refused further events, or it failed for too long.
pub const ROUTE_DISABLED: &str = "switchboard.route.disabled";
pub const DELIVERY_DEAD: &str = "switchboard.delivery.dead";
const OWN_PLATFORM: &str = "switchboard";

impl StoredEvent {
    /// An event about a route.
    pub fn of_route(at: Timestamp, key: ContentKey, content: RouteEvent<'_>) -> Self {
        let id = EventId::new(at, key);
        let list = list_key(id.shard());
        let origin = Origin::Route(content.route.clone());
        let sort = EventKey { id, event_type: content.event_type.to_owned(), origin }.sort();
        Self {
            pk: key.to_string(),
            v: PLAIN,
            list,
            sort,
            person: None,
            connection: None,
            platform: OWN_PLATFORM.to_owned(),
            raw: None,
            form: false,
            charset: None,
            encoding: None,
            query: None,
            hops: 0,
            reading: serde_json::to_string(&Reading::default()).unwrap_or_default(),
            extra_data: Some(Value::Object(content.data).to_string()),
            // The event and the change it reports are written in one transaction, so no other writer has its key.
            nonce: String::new(),
            expires: Some(content.expires.seconds()),
            rev: 0,
        }
    }
}
