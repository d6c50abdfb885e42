//! Entities of a bot's CMS and their items. BotStar has two environments: `draft`, and `live` once it is published.

use crate::id::Object;
use connector::Fault;
use payload::mapping::escape;
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The environment to read. Default: `live`.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Environment {
    Draft,
    #[default]
    Live,
}

impl Environment {
    /// The value of BotStar's parameter `env`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Live => "live",
        }
    }
}

/// The environments to change. Default: `draft,live`, which is both.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Environments {
    #[serde(rename = "draft")]
    Draft,
    #[default]
    #[serde(rename = "draft,live")]
    Both,
}

impl Environments {
    /// The value of BotStar's parameter `env`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Both => "draft,live",
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Status {
    Enabled,
    Disabled,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

/// Values of an item's fields by their unique names.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Fields(
    #[schemars(extend(
        "maxProperties" = 200,
        "propertyNames" = { "minLength": 1, "maxLength": 250 },
        "additionalProperties" = { "type": ["string", "array"], "items": { "type": "string" } }
    ))]
    Map<String, Value>,
);

/// Names in BotStar's item that are not fields of the entity.
const RESERVED: [&str; 4] = ["name", "status", "id", "_id"];

/// Checks that no field has a name that BotStar's item uses otherwise.
pub fn check(input: &Value) -> Vec<Fault> {
    let names = input["fields"].as_object().into_iter().flatten().map(|(name, _)| name);
    let reserved = names.filter(|name| RESERVED.contains(&name.as_str()));
    reserved.map(|name| Fault::new(format!("/fields/{}", escape(name)), "is not the unique name of a field")).collect()
}

/// An item as BotStar reads it: the fields beside the name and the status.
pub fn item(name: Option<String>, status: Option<Status>, fields: Option<Fields>) -> Value {
    let own = [("name", name), ("status", status.map(|status| status.as_str().to_owned()))];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    Value::Object(own.chain(fields.unwrap_or_default().0).collect::<Object>())
}

/// Output of a change of an item.
#[derive(Serialize, JsonSchema)]
pub struct Touched {
    pub id: String,
}

/// JSON Schema of BotStar's entity.
pub fn schema() -> Schema {
    json_schema!({
        "type": "object",
        "description": "BotStar's CMS entity.",
        "required": ["id"],
        "properties": {
            "id": { "type": "string" },
            "name": { "type": "string" },
            "fields": {
                "type": "array",
                "description": "`{unique_name, name, data_type, options}` of each field.",
                "items": { "type": "object" },
            },
        },
        "additionalProperties": true,
    })
}

/// JSON Schema of BotStar's item.
pub fn item_schema() -> Schema {
    json_schema!({
        "type": "object",
        "description": "BotStar's CMS item, with the values of its fields by their unique names.",
        "required": ["id"],
        "properties": {
            "id": { "type": "string" },
            "name": { "type": "string" },
            "status": { "type": "string", "description": "`enabled` or `disabled`." },
        },
        "additionalProperties": true,
    })
}
