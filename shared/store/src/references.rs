//! References: the connections and hooks that a hook or a route names. Each has a version that is raised when it is
//! named, so that its deletion notices a hook or route created in the meantime.

use super::{
    Store, StoreError,
    connections::Connection,
    control::{Controlled, control_item},
    number, text,
    transaction::{check, delete, put, update},
};
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem, Update, builders::PutBuilder};
use models::{ConnectionId, Timestamp};
use std::collections::BTreeSet;

/// A connection or hook that another item names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Kind in the control table: `connection` or `hook`.
    pub kind: &'static str,
    pub id: String,
}

impl From<&ConnectionId> for Reference {
    fn from(id: &ConnectionId) -> Self {
        Self { kind: Connection::KIND, id: id.to_string() }
    }
}

/// Partition key of the versions. Their sort key is the id of the connection or hook.
const PARTITION: &str = "references";

impl Store {
    /// Writes a new item, on condition that the hooks and connections that it names exist and are not being deleted.
    pub async fn create_referring<T: Controlled>(
        &self,
        value: &T,
        to: &BTreeSet<Reference>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write_referring(Put::builder().set_item(Some(control_item(value)?)), to, now).await
    }

    /// Writes a changed item on the same condition, unless it was changed since it was read.
    pub async fn update_referring<T: Controlled>(
        &self,
        value: &mut T,
        to: &BTreeSet<Reference>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let read = *value.version();
        *value.version() = read + 1;
        let changed = Put::builder()
            .set_item(Some(control_item(value)?))
            .condition_expression("#version = :read")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":read", number(read));
        self.write_referring(changed, to, now).await
    }

    async fn write_referring(
        &self,
        item: PutBuilder,
        to: &BTreeSet<Reference>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut writes = vec![put(item.table_name(&self.tables.control))?];
        writes.extend(self.referring(to, now)?);
        self.transact(writes).await
    }

    /// Transaction items that check that each reference exists, and raise its version.
    pub(super) fn referring(
        &self,
        to: &BTreeSet<Reference>,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let table = &self.tables.control;
        let mut writes = Vec::new();
        for reference in to {
            let reference_exists = ConditionCheck::builder()
                .table_name(table)
                .key("pk", text(reference.kind))
                .key("sk", text(&reference.id))
                .condition_expression("attribute_exists(pk)");
            let named = Update::builder()
                .table_name(table)
                .key("pk", text(PARTITION))
                .key("sk", text(&reference.id))
                .update_expression("ADD #version :one")
                .condition_expression("attribute_not_exists(closed_until) OR closed_until < :now")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":now", number(now.millis()));
            writes.extend([check(reference_exists)?, update(named)?]);
        }
        Ok(writes)
    }

    /// The version of the references to an item. Read it before the items that name it.
    pub async fn references_version(&self, id: &str) -> Result<u64, StoreError> {
        let get = self.client.get_item().table_name(&self.tables.control).consistent_read(true);
        let got = get.key("pk", text(PARTITION)).key("sk", text(id)).send().await?;
        let version = got.item.as_ref().and_then(|item| item.get("version")?.as_n().ok()?.parse().ok());
        Ok(version.unwrap_or(0))
    }

    /// Blocks new references to an item until a time, before a step of its deletion that can't be undone. Fails if the
    /// item was named since the version was read.
    pub async fn close_references(&self, id: &str, read: u64, until: Timestamp) -> Result<(), StoreError> {
        let close = self.client.update_item().table_name(&self.tables.control);
        close
            .key("pk", text(PARTITION))
            .key("sk", text(id))
            .update_expression("SET closed_until = :until")
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":until", number(until.millis()))
            .expression_attribute_values(":read", number(read))
            .send()
            .await?;
        Ok(())
    }

    /// Allows references again to an item whose deletion failed.
    pub async fn reopen_references(&self, id: &str) -> Result<(), StoreError> {
        let reopen = self.client.update_item().table_name(&self.tables.control);
        reopen.key("pk", text(PARTITION)).key("sk", text(id)).update_expression("REMOVE closed_until").send().await?;
        Ok(())
    }

    /// Deletes an item, unless it was changed or named since it and the version of its references were read. Deleting a
    /// missing item succeeds.
    pub async fn remove_unreferenced<T: Controlled>(&self, value: &mut T, read: u64) -> Result<(), StoreError> {
        let (id, version) = (value.id().to_owned(), *value.version());
        let removed = |pk: &str, version: u64| {
            Delete::builder()
                .table_name(&self.tables.control)
                .key("pk", text(pk))
                .key("sk", text(&id))
                .condition_expression(UNCHANGED)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":read", number(version))
        };
        self.transact(vec![delete(removed(T::KIND, version))?, delete(removed(PARTITION, read))?]).await
    }

    /// True if the connection or hook exists.
    pub async fn reference_exists(&self, reference: &Reference) -> Result<bool, StoreError> {
        let get = self.client.get_item().table_name(&self.tables.control).consistent_read(true);
        let got = get.key("pk", text(reference.kind)).key("sk", text(&reference.id)).send().await?;
        Ok(got.item.is_some())
    }
}

/// A missing version means that the item was deleted, or never named.
const UNCHANGED: &str = "attribute_not_exists(#version) OR #version = :read";
