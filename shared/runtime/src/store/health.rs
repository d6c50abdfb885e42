//! The health of routes: whether a route's target takes what it is sent. Only a change of it is written.

use super::{
    Store, StoreError,
    control::{Controlled, control_item},
    number,
};
use aws_sdk_dynamodb::types::Put;
use models::{RouteId, StoredEvent, Timestamp};
use serde::{Deserialize, Serialize};

/// A route that was failing once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RouteHealth {
    pub id: RouteId,
    pub v: u32,
    pub version: u64,
    pub failing: bool,
    /// Since when it is failing, or healthy again.
    pub since: Timestamp,
    /// While it is failing: when one delivery is attempted next, to see.
    pub next_probe_at: Timestamp,
}

impl Controlled for RouteHealth {
    const KIND: &'static str = "route_health";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

impl Store {
    /// Writes a changed health and the event that tells of it, unless something else has since it was read. One that was
    /// never written has version 0.
    pub async fn change_health(&self, health: &RouteHealth, event: &StoredEvent) -> Result<(), StoreError> {
        let changed = RouteHealth { version: health.version + 1, ..health.clone() };
        let put = Put::builder().table_name(&self.tables.control).set_item(Some(control_item(&changed)?));
        let put = put
            .condition_expression("attribute_not_exists(pk) OR #version = :read")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":read", number(health.version));
        self.write_and_tell(put, event).await
    }
}
