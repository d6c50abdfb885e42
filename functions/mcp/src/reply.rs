//! Results of the methods.

use crate::version::Era;
use serde_json::{Map, Value, json};

/// Time for which a client may keep what the server said of itself, in milliseconds.
const TTL_MILLIS: u64 = 300_000;

/// The result of a method.
pub struct Reply {
    fields: Map<String, Value>,
    /// True for a result that clients may keep for a while.
    is_cacheable: bool,
    /// Code of a failed tool, for the log.
    pub outcome: Option<&'static str>,
}

impl Reply {
    pub fn of(result: Value) -> Self {
        let fields = if let Value::Object(fields) = result { fields } else { Map::new() };
        Self { fields, is_cacheable: false, outcome: None }
    }

    pub fn cacheable(result: Value) -> Self {
        Self { is_cacheable: true, ..Self::of(result) }
    }

    pub fn with_outcome(self, code: &'static str) -> Self {
        Self { outcome: Some(code), ..self }
    }

    /// The result, with the fields that its era adds.
    pub fn into_result(self, era: Era) -> Map<String, Value> {
        let mut fields = self.fields;
        if era == Era::Modern {
            fields.insert("resultType".to_owned(), json!("complete"));
            if self.is_cacheable {
                fields.insert("ttlMs".to_owned(), json!(TTL_MILLIS));
                // It depends on the key's scope.
                fields.insert("cacheScope".to_owned(), json!("private"));
            }
            fields.insert("_meta".to_owned(), json!({ "io.modelcontextprotocol/serverInfo": server_info() }));
        }
        fields
    }
}

pub fn server_info() -> Value {
    json!({ "name": "switchboard", "title": "Switchboard", "version": env!("CARGO_PKG_VERSION") })
}
