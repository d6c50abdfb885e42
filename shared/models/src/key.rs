//! API keys: their scopes, and the digest of their secrets.

use crate::{KeyId, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scope of a key. Each scope includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Reads.
    Read,
    /// Everything of `read`; tries routes without sending, replays and redispatches events, retries deliveries, claims
    /// and closes takeovers.
    Operate,
    /// Everything of `operate`; runs actions.
    Act,
    /// Everything.
    Admin,
}

/// The key that authorised a request.
#[derive(Debug, Clone)]
pub struct KnownKey {
    pub id: KeyId,
    pub scope: Scope,
    /// End of the key; none if it has no end.
    pub expires_at: Option<Timestamp>,
}

impl KnownKey {
    /// True from the key's end on.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// SHA-256 of a secret in hexadecimal. Secrets are stored and found by it.
pub fn fingerprint(secret: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, secret.as_bytes()).as_ref())
}
