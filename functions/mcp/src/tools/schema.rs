//! Schemas as language models take them: the root is an object with properties of its own, and definitions are listed at
//! the root.

use serde_json::{Map, Value, json};
use web::{Query, QueryValue};

/// Largest page of a tool. Clients limit the size of results.
pub const MAX_ITEMS: usize = 20;

/// The schema with a plain object at its root. Alternatives at the root become optional fields.
pub fn rooted(mut schema: Value) -> Value {
    let mut definitions = Map::new();
    take_definitions(&mut schema, &mut definitions);
    let mut root = object(schema, &definitions);
    if !definitions.is_empty() {
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Value::Object(root)
}

/// Moves the definitions of all parts out of the schema, because references lead to its root.
fn take_definitions(value: &mut Value, definitions: &mut Map<String, Value>) {
    match value {
        Value::Object(fields) => {
            fields.shift_remove("$schema");
            if let Some(Value::Object(own)) = fields.shift_remove("$defs") {
                for (name, mut definition) in own {
                    take_definitions(&mut definition, definitions);
                    definitions.insert(name, definition);
                }
            }
            fields.values_mut().for_each(|inner| take_definitions(inner, definitions));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| take_definitions(inner, definitions)),
        _ => {}
    }
}

/// An object's schema without references and alternatives at its root.
fn object(schema: Value, definitions: &Map<String, Value>) -> Map<String, Value> {
    let Value::Object(mut fields) = schema else { return Map::from_iter([("type".to_owned(), json!("object"))]) };
    if let Some(Value::String(reference)) = fields.shift_remove("$ref") {
        let named = reference.rsplit('/').next().and_then(|name| definitions.get(name));
        fields.extend(object(named.cloned().unwrap_or_default(), definitions));
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(Value::Array(alternatives)) = fields.shift_remove(keyword) {
            let alternatives = alternatives.into_iter().map(|alternative| object(alternative, definitions));
            fields.extend(merged(alternatives.collect()));
        }
    }
    fields.insert("type".to_owned(), json!("object"));
    fields
}

/// One schema for several kinds of objects: all of their properties, of which those of every kind are required.
fn merged(alternatives: Vec<Map<String, Value>>) -> Map<String, Value> {
    let (mut properties, mut required) = (Map::<String, Value>::new(), None::<Vec<Value>>);
    for alternative in &alternatives {
        for (name, property) in alternative.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let known = properties.get(name).cloned();
            let both = known.filter(|known| known != property).map(|known| json!({ "anyOf": [known, property] }));
            properties.insert(name.clone(), both.unwrap_or_else(|| property.clone()));
        }
        let own = alternative.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        required = Some(match required {
            Some(shared) => shared.into_iter().filter(|name| own.contains(name)).collect(),
            None => own,
        });
    }
    let required = required.unwrap_or_default();
    Map::from_iter([("properties".to_owned(), properties.into()), ("required".to_owned(), required.into())])
}

/// Schema of a query parameter as an argument.
pub fn of_query(parameter: &Query) -> Value {
    let mut schema = parameter.value.schema();
    schema["description"] = parameter.description.into();
    if let QueryValue::Limit = parameter.value {
        schema["description"] = format!("Number of items per page: 1 to {MAX_ITEMS}.").into();
        (schema["maximum"], schema["default"]) = (MAX_ITEMS.into(), MAX_ITEMS.into());
    }
    schema
}
