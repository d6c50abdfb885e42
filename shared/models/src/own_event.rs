//! The events that the product tells of itself.

use crate::{
    event::{EventKey, Origin, StoredEvent, VERSION, list_key},
    ids::{ContentKey, EventId, RouteId},
    time::Timestamp,
};
use payload::mapping::Reading;
use serde_json::{Map, Value};

/// What the product tells of a route.
pub struct OfRoute<'a> {
    pub route: &'a RouteId,
    pub event_type: &'a str,
    pub data: Map<String, Value>,
    pub expires: Timestamp,
}

/// The types of the events that the product tells of itself.
pub const OWN_TYPES: [&str; 4] = [ROUTE_FAILING, ROUTE_RECOVERED, ROUTE_DISABLED, DELIVERY_DEAD];
pub const ROUTE_FAILING: &str = "switchboard.route.failing";
pub const ROUTE_RECOVERED: &str = "switchboard.route.recovered";
/// The product disabled a route: its target asked for no more, or has only failed for too long.
pub const ROUTE_DISABLED: &str = "switchboard.route.disabled";
pub const DELIVERY_DEAD: &str = "switchboard.delivery.dead";
const OWN_PLATFORM: &str = "switchboard";

impl StoredEvent {
    /// An event that the product tells of a route.
    pub fn of_route(at: Timestamp, key: ContentKey, told: OfRoute<'_>) -> Self {
        let id = EventId::new(at, key);
        let list = list_key(id.shard());
        let origin = Origin::Route(told.route.clone());
        let sort = EventKey { id, event_type: told.event_type.to_owned(), origin }.sort();
        Self {
            pk: key.to_string(),
            v: VERSION,
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
            told: Some(Value::Object(told.data).to_string()),
            // It is written with what it tells of, in one transaction, so no other writer has its key.
            nonce: String::new(),
            expires: Some(told.expires.seconds()),
            rev: 0,
        }
    }
}
