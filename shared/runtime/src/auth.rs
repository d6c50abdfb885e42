//! Keys before `/v1`: checked here, the same behind every door.

use crate::{App, Code, Problem};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use http::{HeaderMap, header};
use models::{KeyId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a key reaches; each scope includes those before it.
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

/// A key that was checked.
#[derive(Debug, Clone)]
pub struct KnownKey {
    pub id: KeyId,
    pub scope: Scope,
}

/// What a secret is stored and found by.
pub fn fingerprint(secret: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, secret.as_bytes()).as_ref())
}

/// Checks the request's key against what the route asks for.
pub async fn authorize(app: &App, headers: &HeaderMap, needed: Scope, now: Timestamp) -> Result<KnownKey, Problem> {
    let secret = bearer(headers).ok_or_else(|| Problem::unauthorized("send a key as Authorization: Bearer <key>"))?;
    let fingerprint = fingerprint(secret);
    let known = match app.keys.get(&fingerprint, now) {
        Some(known) => known,
        None => {
            let found = app.store.find_key(&fingerprint).await?;
            let known = found.ok_or_else(|| Problem::unauthorized("no such key"))?;
            app.keys.put(fingerprint, known.clone(), now);
            known
        }
    };
    if known.scope < needed {
        let detail = format!("the key's scope is {:?}, and this takes {needed:?}", known.scope).to_lowercase();
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(known)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, secret) = values.next()?.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim();
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then_some(secret)
}
