//! Settings of hooks, by JSON Schema.

use payload::Mapping;
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::hooks::HookSettings;

/// Settings that the hooks of all triggers have.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
struct CommonSettings {
    /// JSON Pointers (RFC 6901) into the body, by the dotted path in the event's `data`: `"subscriber.id": "/user/id"`.
    #[schemars(extend(
        "maxProperties" = 64,
        "propertyNames" = { "pattern": "^[a-z_]+(\\.[^.\\u0000-\\u001f]{1,100}){0,2}$", "maxLength": 128 },
        "additionalProperties" = { "type": "string", "maxLength": 256, "pattern": "^(/([^~/]|~[01])*)*$" }
    ))]
    mapping: Mapping,
    /// Time in seconds within which the same content is a duplicate; 0 turns deduplication off. Default: the
    /// deployment's window, 600.
    #[schemars(title = "Ignore repeats within (seconds)", range(min = 0, max = 31_536_000))]
    dedupe_seconds: Option<u64>,
    /// True to store the call's query, up to 4 KB, as `data.query`. Default: false.
    #[schemars(title = "Keep the URL's query")]
    keep_query: Option<bool>,
    /// Answer to the caller: up to 32 KB of JSON, whose texts may contain `{{/json/pointer}}` into the event's `data`.
    /// Default: the outcome of the call.
    #[serde(rename = "reply")]
    _reply: Option<Value>,
}

/// JSON Schema of the settings of a trigger without its own.
pub fn schema() -> Schema {
    let mut schema = schema_for!(CommonSettings);
    // They name an internal type.
    schema.ensure_object().retain(|keyword, _| keyword != "title" && keyword != "description");
    schema
}

/// JSON Schema of the settings of a trigger with its own.
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

/// Parses settings that fit the trigger's schema.
pub fn read(fields: Map<String, Value>) -> Result<HookSettings, serde_json::Error> {
    let (common, own) =
        fields.into_iter().partition(|(name, _)| matches!(name.as_str(), "mapping" | "dedupe_seconds" | "keep_query"));
    let CommonSettings { mapping, dedupe_seconds, keep_query, .. } = serde_json::from_value(Value::Object(common))?;
    Ok(HookSettings::new(mapping, dedupe_seconds, keep_query, own))
}

/// The settings for an answer: all properties of the trigger's schema, null if they are not set.
pub fn shown(settings: &HookSettings, schema: &Schema) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let mut fields: Map<String, Value> = properties.map(|name| (name.clone(), Value::Null)).collect();
    fields.extend(settings.own::<Map<String, Value>>().unwrap_or_default());
    fields.insert("mapping".to_owned(), json!(settings.mapping));
    fields.insert("dedupe_seconds".to_owned(), json!(settings.dedupe_seconds));
    fields.insert("keep_query".to_owned(), json!(settings.keep_query));
    fields
}
