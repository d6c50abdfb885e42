//! What the actions that list something answer with.

use crate::client::Object;
use schemars::{Schema, json_schema};
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
pub struct List {
    pub items: Vec<Object>,
    pub next: Option<String>,
}

/// JSON Schema of a list of these, and of where it goes on.
pub fn schema(item: &Schema, next: &Value) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["items", "next"],
        "properties": { "items": { "type": "array", "items": item }, "next": next },
    })
}
