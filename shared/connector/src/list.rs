//! Output of the actions that return lists.

use schemars::{Schema, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize)]
pub struct List {
    pub items: Vec<Map<String, Value>>,
    pub next: Option<String>,
}

/// JSON Schema of a list of these items, with its cursor.
pub fn schema(item: &Schema, next: &Value) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["items", "next"],
        "properties": { "items": { "type": "array", "items": item }, "next": next },
    })
}
