//! The CloudEvents 1.0 envelope that is made of a stored event on reading.

use crate::{
    ids::{ConnectionId, EventId, HookId, SubscriberId},
    time::Timestamp,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

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
    pub mapped: serde_json::Map<String, Value>,
    pub unmapped: Vec<String>,
    /// The text as it was received: numbers of any size and the order of keys survive.
    pub raw: Box<RawValue>,
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
                    "required": ["hook", "connection", "subscriber", "unmapped", "raw"],
                    "properties": {
                        "hook": generator.subschema_for::<Option<HookId>>(),
                        "connection": generator.subschema_for::<Option<ConnectionId>>(),
                        "subscriber": { "anyOf": [subscriber, { "type": "null" }] },
                        "unmapped": { "type": "array", "items": { "type": "string" } },
                        "raw": { "description": "The body as it was received; a form as an object of its fields; null once the person was erased." },
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
