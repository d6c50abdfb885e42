//! Hooks: the open ends of triggers.

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
    /// The newest first; the others work on until they expire.
    pub tokens: Vec<Token>,
    /// None for a trigger whose hooks are pasted by hand.
    #[serde(default)]
    pub registration: Option<Registration>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A hook's settings: those that every trigger has, and the trigger's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookSettings {
    pub mapping: Mapping,
    pub dedupe_seconds: Option<u64>,
    pub keep_query: Option<bool>,
    /// The trigger's own settings as JSON text: an item's numbers and names are narrower than JSON's.
    own: String,
}

impl HookSettings {
    /// The settings with the trigger's own, which are kept as JSON text.
    pub fn new(
        mapping: Mapping,
        dedupe_seconds: Option<u64>,
        keep_query: Option<bool>,
        own: Map<String, Value>,
    ) -> Self {
        let own = if own.is_empty() { String::new() } else { Value::Object(own).to_string() };
        Self { mapping, dedupe_seconds, keep_query, own }
    }

    /// The trigger's own settings.
    pub fn own<Own: DeserializeOwned + Default>(&self) -> Result<Own, serde_json::Error> {
        if self.own.is_empty() { Ok(Own::default()) } else { serde_json::from_str(&self.own) }
    }
}

/// Where a hook stands at a platform that is told of it through its API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Registration {
    /// It is being told, or was and didn't answer.
    Pending,
    /// It has the hook, under an id of its own.
    Registered { webhook: String },
    /// It has the hook by an earlier URL: the new one is pasted by hand.
    Stale { webhook: String },
    /// It can't be told: the URL is pasted by hand.
    Manual,
}

/// What a platform that registers hooks is given to send back, so that the call is known to be its own. It follows from
/// the hook's token: who knows the one may know the other.
pub fn verification_token(token: &str) -> String {
    fingerprint(&format!("verification {token}"))
}

/// One secret of a hook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    pub sha256: String,
    /// The token itself, to show the URL again.
    pub sealed: String,
    /// None: until the hook is rotated.
    pub expires_at: Option<Timestamp>,
}

impl Hook {
    /// The connection that the hook names.
    pub fn references(&self) -> BTreeSet<Reference> {
        BTreeSet::from([Reference::from(&self.connection)])
    }

    /// Whether a token is one of this hook's, and in time.
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
