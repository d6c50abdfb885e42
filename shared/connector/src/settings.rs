//! The settings of hooks, by JSON Schema.

use payload::Mapping;
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::hooks::HookSettings;

/// The settings that the hooks of every trigger have.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
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
pub fn schema() -> Schema {
    let mut schema = schema_for!(Common);
    // They name a type of ours.
    schema.ensure_object().retain(|keyword, _| keyword != "title" && keyword != "description");
    schema
}

/// JSON Schema of the settings of a trigger that has its own besides.
pub fn schema_with<Own: JsonSchema>() -> Schema {
    let (mut schema, own) = (schema(), schema_for!(Own));
    for part in ["properties", "$defs"] {
        if let Some(Value::Object(more)) = own.get(part) {
            let all = schema.ensure_object().entry(part).or_insert_with(|| json!({})).as_object_mut();
            all.into_iter().for_each(|all| all.extend(more.clone()));
        }
    }
    schema
}

/// Reads settings that fit the trigger's schema.
pub fn read(fields: Map<String, Value>) -> Result<HookSettings, serde_json::Error> {
    let (common, own) =
        fields.into_iter().partition(|(name, _)| matches!(name.as_str(), "mapping" | "dedupe_seconds" | "keep_query"));
    let Common { mapping, dedupe_seconds, keep_query, .. } = serde_json::from_value(Value::Object(common))?;
    Ok(HookSettings::new(mapping, dedupe_seconds, keep_query, own))
}

/// The settings as they are answered: all that the trigger's schema has, null where they are not set.
pub fn shown(settings: &HookSettings, schema: &Schema) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let mut fields: Map<String, Value> = properties.map(|name| (name.clone(), Value::Null)).collect();
    fields.extend(settings.own::<Map<String, Value>>().unwrap_or_default());
    fields.insert("mapping".to_owned(), json!(settings.mapping));
    fields.insert("dedupe_seconds".to_owned(), json!(settings.dedupe_seconds));
    fields.insert("keep_query".to_owned(), json!(settings.keep_query));
    fields
}
