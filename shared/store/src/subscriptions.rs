//! MCP subscriptions: routes of a client, with an end.

use super::{
    Store, StoreError,
    control::{Controlled, control_item},
    health::RouteHealth,
    number,
    routes::EventRoute,
    text, transaction,
};
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem, builders::DeleteBuilder};
use models::{KeyId, RouteId, Timestamp};
use serde::{Deserialize, Serialize};

/// An item that each new subscription changes, so that two at a time can't pass the limits together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SubscriptionLock {
    pub version: u64,
}

impl SubscriptionLock {
    pub const ID: &'static str = "lock";
}

impl Controlled for SubscriptionLock {
    const KIND: &'static str = "mcp_subscriptions";
    type Id = String;

    fn id(&self) -> &str {
        Self::ID
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// An endpoint that has proved that it takes a key's events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProvenEndpoint {
    /// A digest of the key's id and the URL.
    pub id: String,
    pub version: u64,
    /// The proof counts until then.
    pub until: Timestamp,
    /// Time at which DynamoDB may delete it, in seconds since the epoch.
    pub expires: u64,
}

impl Controlled for ProvenEndpoint {
    const KIND: &'static str = "mcp_endpoint";
    type Id = String;

    fn id(&self) -> &str {
        &self.id
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

impl Store {
    /// Stores a new subscription, in place of one that has ended. Fails if its key no longer exists, or if another was
    /// made since the lock was read.
    pub async fn create_subscription(
        &self,
        route: &EventRoute,
        key: &KeyId,
        read: &SubscriptionLock,
    ) -> Result<(), StoreError> {
        let table = &self.tables.control;
        let has_key = ConditionCheck::builder()
            .table_name(table)
            .key("pk", text(super::keys::Key::KIND))
            .key("sk", text(key.as_str()))
            .condition_expression("attribute_exists(pk)");
        let lock = Put::builder()
            .table_name(table)
            .set_item(Some(control_item(&SubscriptionLock { version: read.version + 1 })?))
            .condition_expression("attribute_not_exists(pk) OR #version = :read")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":read", number(read.version));
        let put = Put::builder().table_name(table).set_item(Some(control_item(route)?));
        self.transact(vec![transaction::check(has_key)?, transaction::put(lock)?, transaction::put(put)?]).await
    }

    /// Deletes a subscription with its health, if it exists.
    pub async fn remove_subscription(&self, id: &RouteId) -> Result<(), StoreError> {
        let delete = self.delete_of(EventRoute::KIND, id);
        self.transact(vec![transaction::delete(delete)?, self.delete_of_health(id)?]).await
    }

    /// Deletes a subscription that has ended, with its health. Fails if it was made again since it was read.
    pub async fn remove_ended_subscription(&self, read: &EventRoute) -> Result<(), StoreError> {
        let delete = self
            .delete_of(EventRoute::KIND, &read.id)
            .condition_expression("#version = :read")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":read", number(read.version));
        self.transact(vec![transaction::delete(delete)?, self.delete_of_health(&read.id)?]).await
    }

    fn delete_of(&self, kind: &str, id: &RouteId) -> DeleteBuilder {
        Delete::builder().table_name(&self.tables.control).key("pk", text(kind)).key("sk", text(id.as_str()))
    }

    fn delete_of_health(&self, id: &RouteId) -> Result<TransactWriteItem, StoreError> {
        transaction::delete(self.delete_of(RouteHealth::KIND, id))
    }
}
