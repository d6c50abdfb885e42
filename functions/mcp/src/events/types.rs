//! The types of events: those of the triggers, and Switchboard's own.

use crate::tools::schema::rooted;
use models::{
    ConnectionId, HookId, Module, ModuleKind, Timestamp, Trigger, envelope,
    own_event::{DELIVERY_DEAD, ROUTE_DISABLED, ROUTE_FAILING, ROUTE_RECOVERED},
};
use schemars::{Schema, schema_for};
use serde_json::{Map, Value, json};

/// Longest value of an argument that is compared with an event's text.
const MAX_TEXT: usize = 200;

pub struct EventType {
    pub name: &'static str,
    description: &'static str,
    /// None for Switchboard's own events.
    pub trigger: Option<(&'static Trigger, &'static Module)>,
}

const OWN: [(&str, &str); 4] = [
    (ROUTE_FAILING, "A route is failing: its deliveries wait until its target answers again."),
    (ROUTE_RECOVERED, "A failing route has recovered."),
    (ROUTE_DISABLED, "Switchboard has disabled a route."),
    (DELIVERY_DEAD, "A delivery is dead: it is not attempted again by itself."),
];

const TRUNCATED: &str = "True for an event over 255 KB: its texts and maps are cut to 4 KB each.";

/// A field of the events of some types that a subscription can select by.
const TEXTS: [(&str, &str, &str); 2] = [
    ("tag", "tag", "Only events about this tag."),
    ("checkpoint", "checkpoint.name", "Only events of the checkpoint with this name."),
];

/// Every type, in a stable order.
pub fn all() -> impl Iterator<Item = EventType> {
    let of_module = |module: &'static Module| match module.kind {
        ModuleKind::Trigger { trigger, .. } => Some(EventType {
            name: trigger.event_type,
            description: module.description,
            trigger: Some((trigger, module)),
        }),
        ModuleKind::Action(_) => None,
    };
    let own = OWN.into_iter().map(|(name, description)| EventType { name, description, trigger: None });
    registry::modules().filter_map(move |(_, module)| of_module(module)).chain(own)
}

pub fn find(name: &str) -> Option<EventType> {
    all().find(|known| known.name == name)
}

impl EventType {
    /// The type as `events/list` shows it.
    pub fn describe(&self) -> Value {
        json!({
            "name": self.name,
            "description": self.description,
            "delivery": ["webhook"],
            "inputSchema": self.arguments(),
            "payloadSchema": self.payload(),
        })
    }

    /// JSON Schema of a subscription's arguments.
    pub fn arguments(&self) -> Value {
        let mut properties = Map::new();
        if self.trigger.is_some() {
            let id = |pattern: &str, of: &str| json!({ "type": "string", "pattern": pattern, "description": of });
            properties.insert("hook".to_owned(), id(HookId::PATTERN, "Only events of this hook."));
            properties.insert("connection".to_owned(), id(ConnectionId::PATTERN, "Only events of this connection."));
        }
        for (name, _, description) in self.texts() {
            let text = json!({ "type": "string", "minLength": 1, "maxLength": MAX_TEXT, "description": description });
            properties.insert(name.to_owned(), text);
        }
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }

    /// The filter of a route, in CEL, for checked arguments.
    pub fn filter(&self, arguments: &Map<String, Value>) -> Option<String> {
        // A JSON string is also a CEL string.
        let of_text = |(name, path, _): (&str, &str, &str)| Some(format!("data.{path} == {}", arguments.get(name)?));
        let filters: Vec<String> = self.texts().filter_map(of_text).collect();
        (!filters.is_empty()).then(|| filters.join(" && "))
    }

    fn texts(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        let fields: Vec<&str> =
            self.trigger.iter().flat_map(|(trigger, _)| trigger.fields()).map(|field| field.path).collect();
        TEXTS.into_iter().filter(move |(_, path, _)| fields.contains(path))
    }

    /// JSON Schema of an event's `data`: that of the event without `raw`.
    fn payload(&self) -> Value {
        let schema: Schema = match self.trigger {
            Some((_, module)) => (module.output)(),
            None => envelope::schema(self.name, own_fields(self.name)),
        };
        let mut schema = schema.to_value();
        let definitions = schema["$defs"].take();
        let mut data = schema["properties"]["data"].take();
        if let Some(properties) = data["properties"].as_object_mut() {
            properties.shift_remove("raw");
            properties["truncated"]["description"] = TRUNCATED.into();
        }
        if let Some(required) = data["required"].as_array_mut() {
            required.retain(|name| name != "raw");
        }
        if !definitions.is_null() {
            data["$defs"] = definitions;
        }
        rooted(data)
    }
}

/// The fields that Switchboard's own events of a type have beside those of all events.
fn own_fields(event_type: &str) -> Value {
    let text = json!({ "type": "string" });
    let route = object_of(json!({ "id": text, "name": text }));
    if event_type == DELIVERY_DEAD {
        let (attempts, status) = (json!({ "type": "integer" }), json!({ "type": ["integer", "null"] }));
        let delivery = json!({ "id": text, "event": text, "reason": text, "attempts": attempts, "status": status });
        return json!({ "route": route, "delivery": object_of(delivery) });
    }
    let mut fields = json!({ "route": route, "since": schema_for!(Timestamp) });
    if event_type != ROUTE_FAILING {
        fields["reason"] = text;
    }
    fields
}

fn object_of(fields: Value) -> Value {
    let required: Value = fields.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    json!({ "type": "object", "required": required, "properties": fields })
}
