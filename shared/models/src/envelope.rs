//! The CloudEvents 1.0 envelope that is made of a stored event on reading.

use crate::{
    ids::{ConnectionId, EventId, HookId, SubscriberId},
    mapping::json_bytes,
    time::Timestamp,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};
use std::{borrow::Cow, collections::BTreeSet};

/// A CloudEvents 1.0 envelope in the JSON event format.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub id: EventId,
    pub source: String,
    pub event_type: String,
    pub subject: Option<SubscriberId>,
    pub time: Timestamp,
    pub data: Data,
}

#[derive(Debug, Clone)]
pub struct Data {
    /// None, as is the connection: the product tells it itself.
    pub hook: Option<HookId>,
    pub connection: Option<ConnectionId>,
    pub subscriber: Value,
    /// The fields of the event's type.
    pub mapped: Map<String, Value>,
    /// The names in `mapped` that hold several fields.
    pub groups: BTreeSet<String>,
    /// The query of the call, by the hook's setting.
    pub query: Option<Value>,
    /// Whether the event was too large to be shown whole.
    pub truncated: bool,
    pub unmapped: Vec<String>,
    /// The text as it was received: numbers of any size and the order of keys survive.
    pub raw: Box<RawValue>,
}

/// The largest event that is shown whole, in bytes as JSON.
pub const MAX_SHOWN_BYTES: usize = 1024 * 1024;
/// The size to which a text or a map of a larger event is cut, in bytes as JSON.
const CUT_BYTES: usize = 4096;

impl Envelope {
    /// The event as JSON, at most 1 MB: a larger one without its body, and with its other fields cut.
    pub fn shown(&self) -> Result<Box<RawValue>, serde_json::Error> {
        let whole = to_raw_value(self)?;
        if whole.get().len() <= MAX_SHOWN_BYTES { Ok(whole) } else { to_raw_value(&self.clone().truncated()) }
    }

    /// The event without its body and without the platform's own object of the person, which may be as large.
    #[must_use]
    pub fn summary(mut self) -> Self {
        self.data.raw = RawValue::NULL.to_owned();
        if let Some(user) = self.data.subscriber.get_mut("platform_user") {
            *user = Value::Null;
        }
        self
    }

    fn truncated(mut self) -> Self {
        self.data.raw = RawValue::NULL.to_owned();
        self.data.truncated = true;
        cut_each(&mut self.data.subscriber);
        for (name, value) in &mut self.data.mapped {
            if self.data.groups.contains(name) {
                cut_each(value);
            } else {
                cut(value);
            }
        }
        self
    }
}

/// Cuts the fields of an object.
fn cut_each(object: &mut Value) {
    object.as_object_mut().into_iter().flat_map(Map::values_mut).for_each(cut);
}

/// Cuts a value to a size. Of a map or a list the first entries stay that fit.
fn cut(value: &mut Value) {
    match value {
        Value::String(text) => {
            let mut bytes = 0;
            let fits = |character: &char| {
                bytes += json_bytes(character.encode_utf8(&mut [0; 4]));
                bytes <= CUT_BYTES
            };
            let end = text.chars().take_while(fits).map(char::len_utf8).sum();
            text.truncate(end);
        }
        Value::Object(fields) => {
            let mut left = CUT_BYTES;
            fields.retain(|name, value| takes(&mut left, json_bytes(name) + 4, value));
        }
        Value::Array(items) => {
            let mut left = CUT_BYTES;
            items.retain(|item| takes(&mut left, 1, item));
        }
        _ => {}
    }
}

/// Whether an entry fits into the bytes that are left, and takes them.
fn takes(left: &mut usize, around: usize, value: &Value) -> bool {
    let bytes = around + value.to_string().len();
    let fits = bytes <= *left;
    *left = if fits { *left - bytes } else { *left };
    fits
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("source", &self.source)?;
        map.serialize_entry("type", &self.event_type)?;
        if let Some(subject) = &self.subject {
            map.serialize_entry("subject", subject)?;
        }
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("datacontenttype", "application/json")?;
        map.serialize_entry("data", &self.data)?;
        map.end()
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("hook", &self.hook)?;
        map.serialize_entry("connection", &self.connection)?;
        map.serialize_entry("subscriber", &self.subscriber)?;
        for (name, value) in &self.mapped {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("query", &self.query)?;
        map.serialize_entry("truncated", &self.truncated)?;
        map.serialize_entry("unmapped", &self.unmapped)?;
        map.serialize_entry("raw", &self.raw)?;
        map.end()
    }
}

impl JsonSchema for Envelope {
    fn schema_name() -> Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let subscriber = generator.subschema_for::<crate::Subscriber>();
        json_schema!({
            "type": "object",
            "description": "A CloudEvents 1.0 envelope. `data` has, besides what is listed, the fields of the event's type.",
            "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "data"],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": generator.subschema_for::<EventId>(),
                "source": { "type": "string", "description": "The hook, as `/hooks/hook_…`; of what Switchboard tells itself the route, as `/routes/rt_…`." },
                "type": { "type": "string" },
                "subject": generator.subschema_for::<SubscriberId>(),
                "time": generator.subschema_for::<Timestamp>(),
                "datacontenttype": { "const": "application/json" },
                "data": {
                    "type": "object",
                    "required": ["hook", "connection", "subscriber", "query", "truncated", "unmapped", "raw"],
                    "properties": {
                        "hook": generator.subschema_for::<Option<HookId>>(),
                        "connection": generator.subschema_for::<Option<ConnectionId>>(),
                        "subscriber": { "anyOf": [subscriber, { "type": "null" }] },
                        "query": {
                            "type": ["object", "null"],
                            "description": "The query of the call, each name with its values, up to 4 KB; null unless the hook's `keep_query` is on.",
                            "additionalProperties": { "type": "array", "items": { "type": "string" } },
                        },
                        "truncated": { "type": "boolean", "description": "True for an event of over 1 MB: `raw` is null, and texts and maps are cut to 4 KB each. `GET /v1/events/{id}/raw` has the whole body." },
                        "unmapped": { "type": "array", "items": { "type": "string" } },
                        "raw": { "description": "The body as it was received; a form as an object of its fields; null once the person was erased, in a summary, and where `truncated`." },
                    },
                },
            },
        })
    }
}

/// JSON Schema of the events of one type, with the fields that its `data` has besides.
pub fn schema(event_type: &str, data: Value) -> Schema {
    let mut schema = schemars::schema_for!(Envelope);
    let Some(properties) = schema.get_mut("properties") else { return schema };
    properties["type"] = serde_json::json!({ "const": event_type });
    if let Value::Object(fields) = data {
        for (name, field) in fields {
            properties["data"]["properties"][&name] = field;
            if let Some(required) = properties["data"]["required"].as_array_mut() {
                required.push(Value::String(name));
            }
        }
    }
    schema
}
