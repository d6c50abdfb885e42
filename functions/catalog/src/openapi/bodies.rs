//! Exact schemas of request bodies. A part that depends on another field is listed for each value of that field, and
//! ids and times have their patterns.

use super::RouteInfo;
use api::routes;
use models::{ConnectionId, HookId, Timestamp};
use serde_json::{Map, Value, json};

/// A token of RFC 9110.
const HEADER_NAME: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
/// Visible ASCII, spaces and tabs.
const HEADER_VALUE: &str = "^[\\t -~]*$";

pub fn refine(route: &RouteInfo, schema: Value) -> Value {
    let mut schema = match (route.method, route.path) {
        ("POST", "/v1/connections") => by_platform(&schema),
        ("POST", "/v1/hooks") => by_trigger(&schema),
        ("POST", "/v1/routes" | "/v1/routes/test") | ("PATCH", "/v1/routes/{id}") => with_targets(schema),
        _ => schema,
    };
    with_headers(&mut schema);
    add_patterns(&mut schema);
    schema
}

/// An object's schema with other schemas for some of its fields, of which some become required.
fn with(base: &Value, fields: Value, required: &[&str]) -> Value {
    let mut schema = base.clone();
    if let (Some(Value::Object(known)), Value::Object(fields)) = (schema.get_mut("properties"), fields) {
        for (name, field) in fields {
            let description = known.get(&name).and_then(|field| field.get("description")).cloned();
            let mut field = field;
            if let (Some(object), Some(description)) = (field.as_object_mut(), description) {
                object.entry("description").or_insert(description);
            }
            known.insert(name, field);
        }
    }
    if let Some(Value::Array(all)) = schema.get_mut("required") {
        let missing = required.iter().filter(|name| !all.contains(&json!(name))).copied().collect::<Vec<_>>();
        all.extend(missing.into_iter().map(Value::from));
    }
    schema
}

fn by_platform(base: &Value) -> Value {
    let mut all = Vec::new();
    for platform in registry::PLATFORMS {
        let credentials = (platform.credentials)().to_value();
        let required: &[&str] = if platform.credentials_optional { &[] } else { &["credentials"] };
        let named = json!({ "const": platform.name });
        let whole = json!({ "platform": named, "credentials": credentials, "generate": { "const": false } });
        all.push(with(base, whole, required));
        if let Some(made) = crate::generated(platform.name) {
            let mut others = credentials;
            if let Some(Value::Object(fields)) = others.get_mut("properties") {
                fields.remove(made);
            }
            if let Some(Value::Array(names)) = others.get_mut("required") {
                names.retain(|name| name != made);
            }
            let made_here = json!({ "platform": named, "credentials": others, "generate": { "const": true } });
            all.push(with(base, made_here, &["credentials", "generate"]));
        }
    }
    json!({ "anyOf": all })
}

fn by_trigger(base: &Value) -> Value {
    let of = |watch: registry::TriggerEntry| {
        with(
            base,
            json!({ "trigger": { "const": watch.trigger.name }, "settings": (watch.settings)().to_value() }),
            &[],
        )
    };
    json!({ "anyOf": registry::triggers().map(of).collect::<Vec<_>>() })
}

/// Adds the patterns of header names and values, if an object has headers.
fn with_headers(object: &mut Value) {
    if let Some(headers) = object.pointer_mut("/properties/headers").and_then(Value::as_object_mut) {
        headers.insert("propertyNames".to_owned(), json!({ "pattern": HEADER_NAME }));
        headers.entry("additionalProperties").or_insert_with(|| json!({}))["pattern"] = json!(HEADER_VALUE);
    }
}

fn with_targets(mut schema: Value) -> Value {
    let [mut webhook, action, aws] = routes::target_schemas().map(schemars::Schema::to_value);
    with_headers(&mut webhook);
    let mut all = vec![webhook, aws];
    all.extend(registry::actions().map(|known| {
        let input = (known.input)().to_value();
        let own = |name: &str| name == "connection" || name == "idempotency_key";
        let names = input["properties"].as_object().into_iter().flatten().map(|(name, _)| name);
        let fields: Map<String, Value> =
            names.filter(|name| !own(name)).map(|name| (name.clone(), json!({ "type": "string" }))).collect();
        let required: Vec<&Value> =
            input["required"].as_array().into_iter().flatten().filter(|name| !name.as_str().is_some_and(own)).collect();
        let input =
            json!({ "type": "object", "properties": fields, "required": required, "additionalProperties": false });
        with(&action, json!({ "action": { "const": known.name }, "input": input }), &[])
    }));
    let target = &mut schema["properties"]["target"];
    let is_optional = target["type"].as_array().is_some();
    if is_optional {
        all.push(json!({ "type": "null" }));
    }
    if let Some(target) = target.as_object_mut() {
        target.retain(|keyword, _| keyword == "description");
        target.insert("anyOf".to_owned(), all.into());
    }
    schema
}

/// Writes the pattern of an id or time beside its format.
fn add_patterns(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let pattern = match object.get("format").and_then(Value::as_str) {
                Some("connection-id") => Some((ConnectionId::PATTERN, false)),
                Some("hook-id") => Some((HookId::PATTERN, false)),
                Some("date-time") => Some((Timestamp::PATTERN, true)),
                _ => None,
            };
            if let Some((pattern, is_known)) = pattern {
                object.insert("pattern".to_owned(), pattern.into());
                if !is_known {
                    object.remove("format");
                }
            }
            object.values_mut().for_each(add_patterns);
        }
        Value::Array(items) => items.iter_mut().for_each(add_patterns),
        _ => {}
    }
}
