//! The CloudEvents 1.0 envelope, built from a stored event when it is read.

use crate::{
    ids::{ConnectionId, EventId, HookId, SubscriberId},
    time::Timestamp,
};
use payload::{mapping::json_bytes, view::View};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use std::{borrow::Cow, collections::BTreeSet};

/// A CloudEvents 1.0 envelope in the JSON event format.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    pub id: EventId,
    pub source: String,
    pub event_type: String,
    pub subject: Option<SubscriberId>,
    pub time: Timestamp,
    pub data: View<'a>,
    /// Names in `data` that hold several fields of the event's type.
    pub groups: BTreeSet<String>,
}

/// Largest event that is shown whole, in bytes of JSON.
pub const MAX_SHOWN_BYTES: usize = 1024 * 1024;
/// Size to which each text and map of a larger event is cut, in bytes of JSON.
const CUT_BYTES: usize = 4096;

impl<'a> Envelope<'a> {
    /// The event as JSON, at most 1 MB. A larger event loses its body, and its other fields are cut.
    pub fn shown(self) -> Result<Box<RawValue>, serde_json::Error> {
        let whole = to_raw_value(&self)?;
        if whole.get().len() <= MAX_SHOWN_BYTES { Ok(whole) } else { to_raw_value(&self.truncated()) }
    }

    /// The event without its body and without `platform_user`, which can be as large.
    #[must_use]
    pub fn summary(mut self) -> Self {
        for (name, field) in fields_of(&mut self.data) {
            match &**name {
                "raw" => *field = View::NULL,
                "subscriber" => {
                    let user = fields_of(field).iter_mut().find(|(name, _)| name == "platform_user");
                    user.into_iter().for_each(|(_, user)| *user = View::NULL);
                }
                _ => {}
            }
        }
        self
    }

    /// `data` without `raw` and `platform_user`. If it has more than `max` bytes as JSON, its other fields are cut.
    pub fn data_without_body(self, max: usize) -> Result<Box<RawValue>, serde_json::Error> {
        let without_body = |envelope: Self| {
            let mut data = envelope.summary().data;
            if let View::Map(fields) = &mut data {
                fields.retain(|(name, _)| name != "raw");
            }
            to_raw_value(&data)
        };
        let whole = without_body(self.clone())?;
        if whole.get().len() <= max { Ok(whole) } else { without_body(self.truncated()) }
    }

    fn truncated(mut self) -> Self {
        let groups = &self.groups;
        for (name, field) in fields_of(&mut self.data) {
            match &**name {
                "raw" => *field = View::NULL,
                "truncated" => *field = true.into(),
                "hook" | "connection" | "query" | "unmapped" => {}
                "subscriber" => cut_each(field),
                name if groups.contains(name) => cut_each(field),
                _ => cut_view(field),
            }
        }
        self
    }
}

fn fields_of<'v, 'a>(view: &'v mut View<'a>) -> &'v mut [(Cow<'a, str>, View<'a>)] {
    match view {
        View::Map(fields) => fields,
        _ => &mut [],
    }
}

fn cut_each(object: &mut View<'_>) {
    if let View::Own(Value::Object(fields)) = object {
        fields.values_mut().for_each(|value| *value = cut(value));
    }
    fields_of(object).iter_mut().for_each(|(_, field)| cut_view(field));
}

fn cut_view(view: &mut View<'_>) {
    *view = match view {
        View::Of(value) => cut(value).into(),
        View::Own(value) => cut(value).into(),
        View::Map(_) => return cut_each(view),
        View::Body { .. } => View::NULL,
    };
}

/// A value cut to [`CUT_BYTES`]. Maps and lists keep the first entries that fit.
fn cut(value: &Value) -> Value {
    let mut left = CUT_BYTES;
    match value {
        Value::String(text) => {
            let mut bytes = 0;
            let fits = |character: &char| {
                bytes += json_bytes(character.encode_utf8(&mut [0; 4]));
                bytes <= CUT_BYTES
            };
            Value::String(text.chars().take_while(fits).collect())
        }
        Value::Object(fields) => {
            let mut fits = |name: &str, value: &Value| takes(&mut left, json_bytes(name) + 4, value);
            let kept = fields.iter().filter(|(name, value)| fits(name, value));
            Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        Value::Array(items) => items.iter().filter(|item| takes(&mut left, 1, item)).cloned().collect(),
        Value::Number(number) if number.as_str().len() > CUT_BYTES => Value::Null,
        other => other.clone(),
    }
}

/// Takes an entry's size off the bytes that are left. False if the entry does not fit.
fn takes(left: &mut usize, around: usize, value: &Value) -> bool {
    let bytes = around + value.to_string().len();
    let fits = bytes <= *left;
    *left = if fits { *left - bytes } else { *left };
    fits
}

impl Serialize for Envelope<'_> {
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

impl JsonSchema for Envelope<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let subscriber = generator.subschema_for::<crate::Subscriber>();
        json_schema!({
            "type": "object",
            "description": "A CloudEvents 1.0 envelope. `data` also has the fields of the event's type.",
            "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "data"],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": generator.subschema_for::<EventId>(),
                "source": { "type": "string", "description": "`/hooks/hook_…` for an event that a hook received; `/routes/rt_…` for Switchboard's own events." },
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
                            "description": "The call's query, up to 4 KB: each name with its values. Null unless the hook's `keep_query` is on.",
                            "additionalProperties": { "type": "array", "items": { "type": "string" } },
                        },
                        "truncated": { "type": "boolean", "description": "True for an event over 1 MB: `raw` is null, and texts and maps are cut to 4 KB each. `GET /v1/events/{id}/raw` returns the whole body." },
                        "unmapped": { "type": "array", "description": "Expected fields that were not found in the body.", "items": { "type": "string" } },
                        "raw": { "description": "The body as it was received; a form is an object of its fields. Null once the person was erased, in a summary, and if `truncated` is true." },
                    },
                },
            },
        })
    }
}

/// JSON Schema of the events of one type. `data` gives the type's own fields.
pub fn schema(event_type: &str, data: Value) -> Schema {
    let mut schema = schemars::schema_for!(Envelope<'_>);
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
