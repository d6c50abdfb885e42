//! API keys: the scope of a key, and the digest that a secret is stored under.

use crate::KeyId;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reach of a key. Each scope includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Reads.
    Read,
    /// Reads, tries routes without sending, replays and redispatches events, retries deliveries, claims and closes
    /// takeovers.
    Operate,
    /// The same, and runs actions.
    Act,
    /// Everything.
    Admin,
}

/// A key that a request was authorised by.
#[derive(Debug, Clone)]
pub struct KnownKey {
    pub id: KeyId,
    pub scope: Scope,
}

/// SHA-256 of a secret, in hexadecimal: secrets are stored and found by it.
pub fn fingerprint(secret: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, secret.as_bytes()).as_ref())
}
