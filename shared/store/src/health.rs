//! Storage of route health. It is written only when a route starts failing or recovers, not after every attempt. The writes
//! of a route that depend on its health are here as well: recovery, disabling and deletion.

use super::{
    Store, StoreError,
    control::{Controlled, control_item},
    number,
    references::Reference,
    routes::EventRoute,
    text, transaction,
};
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, builders::ConditionCheckBuilder,
};
use models::{RouteId, StoredEvent, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Health of a route that has failed at least once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RouteHealth {
    pub id: RouteId,
    pub v: u32,
    pub version: u64,
    pub failing: bool,
    /// Start of the current state.
    pub since: Timestamp,
    /// Time of the next probe while the route is failing.
    pub next_probe_at: Timestamp,
    /// True if every failure that opened the breaker was caused by an event's content: `unmappable`, `action_refused`,
    /// `target_refused`, `too_large`, `loop`. Such failures don't count for a route that selects other events.
    #[serde(default)]
    pub by_content: bool,
    /// Time at which DynamoDB may delete the health of a subscription, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<u64>,
}

impl Controlled for RouteHealth {
    const KIND: &'static str = "route_health";
    type Id = RouteId;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

impl Store {
    /// Writes a changed health and its event, if it has one. Fails if the health was changed since it was read, or if the route does
    /// not allow the transition. To become failing, the route must have the attempted version; to recover, its
    /// generation. A health that was never written has version 0.
    pub async fn change_health(
        &self,
        health: &RouteHealth,
        attempted: &EventRoute,
        event: Option<&StoredEvent>,
    ) -> Result<(), StoreError> {
        let route = self.check(EventRoute::KIND, attempted.id.as_str());
        let route = match (health.failing, attempted.generation) {
            (true, _) => route
                .condition_expression("#version = :attempted")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":attempted", number(attempted.version)),
            (false, 0) => route
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(#generation)")
                .expression_attribute_names("#generation", "generation"),
            (false, generation) => route
                .condition_expression("#generation = :attempted")
                .expression_attribute_names("#generation", "generation")
                .expression_attribute_values(":attempted", number(generation)),
        };
        let mut writes = vec![transaction::check(route)?, self.changed_health(health)?];
        if let Some(event) = event {
            writes.push(self.new_event(event)?);
        }
        self.transact(writes).await
    }

    /// Writes a route whose earlier failures no longer count, unless it was changed since it was read. The hook and
    /// connections that it newly names must exist. `recovered` is the health that replaces a failing one, with its
    /// event; without it, the route must not be failing.
    pub async fn save_recovered_route(
        &self,
        route: &mut EventRoute,
        named: &BTreeSet<Reference>,
        recovered: Option<(&RouteHealth, &StoredEvent)>,
    ) -> Result<(), StoreError> {
        let mut writes = vec![self.changed_route(route)?];
        writes.extend(self.referring(named, route.updated_at)?);
        match recovered {
            Some((health, event)) => writes.extend([self.changed_health(health)?, self.new_event(event)?]),
            None => {
                let health = self.check(RouteHealth::KIND, route.id.as_str());
                writes.push(transaction::check(
                    health
                        .condition_expression("attribute_not_exists(pk) OR #failing = :failing")
                        .expression_attribute_names("#failing", "failing")
                        .expression_attribute_values(":failing", AttributeValue::Bool(false)),
                )?);
            }
        }
        self.transact(writes).await
    }

    /// Writes a route that Switchboard disables, with its event, unless it was changed since it was read. With
    /// `failing`, it must not have recovered since.
    pub async fn disable_route(
        &self,
        route: &mut EventRoute,
        failing: Option<&RouteHealth>,
        event: &StoredEvent,
    ) -> Result<(), StoreError> {
        let mut writes = vec![self.changed_route(route)?, self.new_event(event)?];
        if let Some(health) = failing {
            writes.push(transaction::check(
                self.check(RouteHealth::KIND, route.id.as_str())
                    .condition_expression("#failing = :failing AND #since = :since")
                    .expression_attribute_names("#failing", "failing")
                    .expression_attribute_names("#since", "since")
                    .expression_attribute_values(":failing", AttributeValue::Bool(true))
                    .expression_attribute_values(":since", text(health.since.to_string())),
            )?);
        }
        self.transact(writes).await
    }

    /// Deletes a route with its health, and writes the event of a failing one. Fails if the health was changed since it
    /// was read, or the route does not exist.
    pub async fn delete_route(
        &self,
        route: &EventRoute,
        health: Option<&RouteHealth>,
        event: Option<&StoredEvent>,
    ) -> Result<(), StoreError> {
        let delete = |kind: &str| {
            let delete = Delete::builder().table_name(&self.tables.control);
            delete.key("pk", text(kind)).key("sk", text(route.id.as_str()))
        };
        let of_route = delete(EventRoute::KIND).condition_expression("attribute_exists(pk)");
        let of_health = match health {
            None => delete(RouteHealth::KIND).condition_expression("attribute_not_exists(pk)"),
            Some(health) => delete(RouteHealth::KIND)
                .condition_expression("#version = :read")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":read", number(health.version)),
        };
        let mut writes = Vec::new();
        for delete in [of_route, of_health] {
            writes.push(transaction::delete(delete)?);
        }
        if let Some(event) = event {
            writes.push(self.new_event(event)?);
        }
        self.transact(writes).await
    }

    fn changed_route(&self, route: &mut EventRoute) -> Result<TransactWriteItem, StoreError> {
        let read = route.version;
        route.version = read + 1;
        let put = Put::builder().table_name(&self.tables.control).set_item(Some(control_item(route)?));
        transaction::put(
            put.condition_expression("#version = :read")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":read", number(read)),
        )
    }

    fn changed_health(&self, health: &RouteHealth) -> Result<TransactWriteItem, StoreError> {
        let changed = RouteHealth { version: health.version + 1, ..health.clone() };
        let put = Put::builder().table_name(&self.tables.control).set_item(Some(control_item(&changed)?));
        transaction::put(
            put.condition_expression("attribute_not_exists(pk) OR #version = :read")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":read", number(health.version)),
        )
    }

    fn check(&self, kind: &str, id: &str) -> ConditionCheckBuilder {
        ConditionCheck::builder().table_name(&self.tables.control).key("pk", text(kind)).key("sk", text(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_health_of_an_earlier_release_is_read() {
        let at = Timestamp::from_millis(1_767_225_600_000);
        let id = RouteId::new(at, [1; 10]);
        let stored = json!({ "id": id, "v": 1, "version": 3, "failing": true, "since": at, "next_probe_at": at });
        let health: RouteHealth = serde_json::from_value(stored).unwrap();
        assert!(health.failing && health.version == 3 && !health.by_content);
    }
}
