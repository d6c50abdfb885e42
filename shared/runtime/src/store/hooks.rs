//! Hooks: the open ends of triggers.

use super::{control::Controlled, references::Reference};
use crate::auth::fingerprint;
use models::{ConnectionId, HookId, Mapping, Timestamp};
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
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
    pub settings: Settings,
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
pub struct Settings {
    pub mapping: Mapping,
    pub dedupe_seconds: Option<u64>,
    pub keep_query: Option<bool>,
    /// The trigger's own settings as JSON text: an item's numbers and names are narrower than JSON's.
    own: String,
}

/// What every trigger's settings hold.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[derive(Default)]
struct Common {
    /// JSON Pointers (RFC 6901) into the body, by the dotted path in the event's `data`: `"subscriber.id": "/user/id"`.
    #[schemars(extend(
        "maxProperties" = 64,
        "propertyNames" = { "pattern": "^[a-z_]+(\\.[^.\\u0000-\\u001f]{1,100}){0,2}$", "maxLength": 128 },
        "additionalProperties" = { "type": "string", "maxLength": 256, "pattern": "^(/([^~/]|~[01])*)*$" }
    ))]
    mapping: Mapping,
    /// How long the same content is the same event, in seconds; 0 is never. Left out: the deployment's window, 600.
    #[schemars(range(min = 0, max = 31_536_000))]
    dedupe_seconds: Option<u64>,
    /// Whether events keep the query of the call, up to 4 KB, as `data.query`. Left out: no.
    keep_query: Option<bool>,
    /// What the caller is answered, in up to 32 KB of JSON. A text may hold `{{/json/pointer}}` into the event's `data`.
    /// Left out: what became of the call.
    #[serde(rename = "reply")]
    _reply: Option<Value>,
}

/// JSON Schema of the settings of a trigger that has none of its own.
pub fn settings_schema() -> Schema {
    let mut schema = schema_for!(Common);
    // They name a type of ours.
    schema.ensure_object().retain(|keyword, _| keyword != "title" && keyword != "description");
    schema
}

/// JSON Schema of the settings of a trigger that has its own besides.
pub fn settings_schema_with<Own: JsonSchema>() -> Schema {
    let (mut schema, own) = (settings_schema(), schema_for!(Own));
    for part in ["properties", "$defs"] {
        if let Some(Value::Object(more)) = own.get(part) {
            let all = schema.ensure_object().entry(part).or_insert_with(|| json!({})).as_object_mut();
            all.into_iter().for_each(|all| all.extend(more.clone()));
        }
    }
    schema
}

impl Settings {
    /// Reads settings that fit the trigger's schema.
    pub fn read(fields: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let (common, own): (Map<_, _>, Map<_, _>) = fields
            .into_iter()
            .partition(|(name, _)| matches!(name.as_str(), "mapping" | "dedupe_seconds" | "keep_query"));
        let Common { mapping, dedupe_seconds, keep_query, .. } = serde_json::from_value(Value::Object(common))?;
        let own = if own.is_empty() { String::new() } else { Value::Object(own).to_string() };
        Ok(Self { mapping, dedupe_seconds, keep_query, own })
    }

    /// The settings as they are answered: all that the trigger's schema has, null where they are not set.
    pub fn show(&self, schema: &Schema) -> Map<String, Value> {
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let mut fields: Map<String, Value> = properties.map(|name| (name.clone(), Value::Null)).collect();
        fields.extend(self.own::<Map<String, Value>>().unwrap_or_default());
        fields.insert("mapping".to_owned(), json!(self.mapping));
        fields.insert("dedupe_seconds".to_owned(), json!(self.dedupe_seconds));
        fields.insert("keep_query".to_owned(), json!(self.keep_query));
        fields
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

impl Controlled for Hook {
    const KIND: &'static str = "hook";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}
