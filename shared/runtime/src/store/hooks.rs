//! Hooks: the open ends of triggers.

use super::control::Controlled;
use crate::auth::fingerprint;
use models::{ConnectionId, HookId, Mapping, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
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
    pub settings: Settings,
    /// The newest first; the others work on until they expire.
    pub tokens: Vec<Token>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A hook's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Settings {
    /// JSON Pointers (RFC 6901) into the body, by the dotted path in the event's `data`: `"subscriber.id": "/user/id"`.
    #[schemars(extend(
        "maxProperties" = 64,
        "propertyNames" = { "pattern": "^[a-z_]+(\\.[^.\\u0000-\\u001f]{1,100}){0,2}$", "maxLength": 128 },
        "additionalProperties" = { "type": "string", "maxLength": 256, "pattern": "^(/([^~/]|~[01])*)*$" }
    ))]
    pub mapping: Mapping,
    /// How long the same content is the same event, in seconds; 0 is never. Left out: the deployment's window, 600.
    #[schemars(range(min = 0, max = 31_536_000))]
    pub dedupe_seconds: Option<u64>,
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
    /// Whether a token is one of this hook's, and in time.
    pub fn takes(&self, token: &str, now: Timestamp) -> bool {
        let given = fingerprint(token);
        let live = self.tokens.iter().filter(|token| token.expires_at.is_none_or(|end| now < end));
        live.map(|token| token.sha256.as_bytes().ct_eq(given.as_bytes())).fold(false, |any, one| any | bool::from(one))
    }
}

impl Controlled for Hook {
    const KIND: &'static str = "hook";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}
