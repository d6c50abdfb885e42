//! Hooks: secret URLs of triggers.

use super::{control::Controlled, references::Reference};
use models::{ConnectionId, HookId, Timestamp, fingerprint};
use payload::Mapping;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use subtle::ConstantTimeEq as _;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hook {
    pub id: HookId,
    pub v: u32,
    pub version: u64,
    pub trigger: String,
    pub platform: String,
    pub connection: ConnectionId,
    pub name: String,
    pub enabled: bool,
    pub settings: HookSettings,
    /// Newest first; the others stay valid until they expire.
    pub tokens: Vec<Token>,
    /// None for a trigger whose hooks are pasted by hand.
    #[serde(default)]
    pub registration: Option<Registration>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Settings of a hook: those that all triggers have, and the trigger's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookSettings {
    pub mapping: Mapping,
    pub dedupe_seconds: Option<u64>,
    pub keep_query: Option<bool>,
    /// The trigger's own settings as JSON text, because DynamoDB's numbers and names have narrower limits than JSON.
    own: String,
}

impl HookSettings {
    /// Combines the common settings with the trigger's own.
    pub fn new(
        mapping: Mapping,
        dedupe_seconds: Option<u64>,
        keep_query: Option<bool>,
        own: Map<String, Value>,
    ) -> Self {
        let own = if own.is_empty() { String::new() } else { Value::Object(own).to_string() };
        Self { mapping, dedupe_seconds, keep_query, own }
    }

    /// Parses the trigger's own settings.
    pub fn own<Own: DeserializeOwned + Default>(&self) -> Result<Own, serde_json::Error> {
        if self.own.is_empty() { Ok(Own::default()) } else { serde_json::from_str(&self.own) }
    }
}

/// State of a hook at a platform whose API registers webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Registration {
    /// The registration is under way, or its answer was lost.
    Pending,
    /// The platform has the webhook, under its own id.
    Registered { webhook: String },
    /// The platform has the webhook with an earlier URL: the new one is pasted by hand.
    Stale { webhook: String },
    /// The platform can't be called: the URL is pasted by hand.
    Manual,
}

/// Token that a platform sends back to verify a hook's URL. It is derived from the hook's token: anyone who knows
/// one may know the other.
pub fn verification_token(token: &str) -> String {
    fingerprint(&format!("verification {token}"))
}

/// One secret of a hook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    pub sha256: String,
    /// The sealed token, to show the URL again.
    pub sealed: String,
    /// None until the hook is rotated.
    pub expires_at: Option<Timestamp>,
}

impl Hook {
    /// The connection that the hook uses.
    pub fn references(&self) -> BTreeSet<Reference> {
        BTreeSet::from([Reference::from(&self.connection)])
    }

    /// True for a valid token of this hook that has not expired.
    pub fn takes(&self, token: &str, now: Timestamp) -> bool {
        let given = fingerprint(token);
        let live = self.tokens.iter().filter(|token| token.expires_at.is_none_or(|end| now < end));
        live.map(|token| token.sha256.as_bytes().ct_eq(given.as_bytes())).fold(false, |any, one| any | bool::from(one))
    }
}

impl From<&HookId> for Reference {
    fn from(id: &HookId) -> Self {
        Self { kind: Hook::KIND, id: id.to_string() }
    }
}

impl Controlled for Hook {
    const KIND: &'static str = "hook";
    type Id = HookId;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}
