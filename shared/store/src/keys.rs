//! API keys: listed by id, found by fingerprint. The key itself is not stored.

use super::{
    Store, StoreError,
    control::{Controlled, control_item},
    from_item,
    routes::matches_pattern,
    text,
    transaction::{check, delete, put},
};
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};
use models::{KeyId, KnownKey, Scope, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    pub id: KeyId,
    pub v: u32,
    pub version: u64,
    pub name: String,
    pub scope: Scope,
    pub sha256: String,
    /// Types of the events to which the key may subscribe over MCP; `*` matches any characters.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub subscribe: Vec<String>,
    pub created_at: Timestamp,
    /// End of the key; none if it has no end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
    /// Time at which DynamoDB may delete the key, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<u64>,
}

/// Time in days that an expired key stays listed.
const LISTED_DAYS: u64 = 30;

impl Key {
    /// True if the key may subscribe to events of this type.
    pub fn may_subscribe_to(&self, event_type: &str) -> bool {
        self.subscribe.iter().any(|pattern| matches_pattern(pattern, event_type))
    }

    /// The same key with an end.
    #[must_use]
    pub fn until(self, expires_at: Option<Timestamp>) -> Self {
        let expires = expires_at.map(|end| end.plus_seconds(LISTED_DAYS * 86_400).seconds());
        Self { expires_at, expires, ..self }
    }
}

impl Controlled for Key {
    const KIND: &'static str = "key";
    type Id = KeyId;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// The item of a fingerprint, which one Get finds.
#[derive(Serialize, Deserialize)]
struct Fingerprint {
    pk: String,
    sk: String,
    id: KeyId,
    scope: Scope,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires: Option<u64>,
}

fn fingerprint_key(sha256: &str) -> String {
    format!("key_sha256#{sha256}")
}

impl Store {
    pub async fn find_key(&self, sha256: &str) -> Result<Option<KnownKey>, StoreError> {
        let get = self.client.get_item().table_name(&self.tables.control).consistent_read(true);
        let got = get.key("pk", text(fingerprint_key(sha256))).key("sk", text("key")).send().await?;
        let found: Option<Fingerprint> = got.item.map(from_item).transpose()?;
        Ok(found.map(|found| KnownKey { id: found.id, scope: found.scope, expires_at: found.expires_at }))
    }

    /// Stores a key and its fingerprint in one transaction. Replaces an earlier key with the same id.
    pub async fn put_key(&self, key: &Key) -> Result<(), StoreError> {
        let fingerprint = Fingerprint {
            pk: fingerprint_key(&key.sha256),
            sk: "key".to_owned(),
            id: key.id.clone(),
            scope: key.scope,
            expires_at: key.expires_at,
            expires: key.expires,
        };
        let table = &self.tables.control;
        let stored = |item| put(Put::builder().table_name(table).set_item(Some(item)));
        self.transact(vec![stored(control_item(key)?)?, stored(super::to_item(&fingerprint)?)?]).await
    }

    pub async fn remove_key(&self, key: &Key) -> Result<(), StoreError> {
        self.transact(self.removal(key)?).await
    }

    /// Removes a key on condition that another of scope `admin`, which has no end, remains.
    pub async fn remove_key_beside(&self, key: &Key, other: &KeyId) -> Result<(), StoreError> {
        let stays = ConditionCheck::builder()
            .table_name(&self.tables.control)
            .key("pk", text(Key::KIND))
            .key("sk", text(other.as_str()))
            .condition_expression("#scope = :admin AND attribute_not_exists(expires_at)")
            .expression_attribute_names("#scope", "scope")
            .expression_attribute_values(":admin", serde_dynamo::to_attribute_value(Scope::Admin)?);
        let mut writes = self.removal(key)?;
        writes.push(check(stays)?);
        self.transact(writes).await
    }

    fn removal(&self, key: &Key) -> Result<Vec<TransactWriteItem>, StoreError> {
        let removed = |pk: String, sk: &str| {
            delete(Delete::builder().table_name(&self.tables.control).key("pk", text(pk)).key("sk", text(sk)))
        };
        Ok(vec![removed(Key::KIND.to_owned(), key.id.as_str())?, removed(fingerprint_key(&key.sha256), "key")?])
    }
}
