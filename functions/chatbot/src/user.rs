//! Users of ChatBot, by the names of its API. <https://chatbot.com/docs/users>

use crate::client::Object;
use models::Fault;
use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// ChatBot's limit on a user's attributes.
const MAX_ATTRIBUTES: usize = 99;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Gender {
    Male,
    Female,
    Other,
}

/// Attributes of a user that can be set.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Attributes {
    /// The user's e-mail address.
    #[schemars(length(min = 1, max = 1024))]
    email: Option<String>,
    #[schemars(length(min = 1, max = 1024))]
    username: Option<String>,
    /// The user's full name.
    #[schemars(length(min = 1, max = 256))]
    name: Option<String>,
    /// The page on which the user is.
    #[schemars(length(min = 1, max = 1024))]
    url: Option<String>,
    /// The URL of a picture of the user.
    #[schemars(length(min = 1, max = 1024))]
    avatar: Option<String>,
    /// The user's language, `en` for example.
    #[schemars(length(min = 1, max = 1024))]
    language: Option<String>,
    /// The user's time zone, `Europe/Warsaw` for example.
    #[schemars(length(min = 1, max = 1024))]
    timezone: Option<String>,
    gender: Option<Gender>,
    /// The user's IP address.
    #[schemars(length(min = 1, max = 1024))]
    ip: Option<String>,
    #[schemars(length(min = 1, max = 1024))]
    city: Option<String>,
    #[schemars(length(min = 1, max = 1024))]
    region: Option<String>,
    #[schemars(length(min = 1, max = 1024))]
    country: Option<String>,
    /// The page from which the user came.
    #[schemars(length(min = 1, max = 1024))]
    referrer: Option<String>,
    /// Your own attributes: texts by name. Names that begin with `default_` are reserved by ChatBot.
    #[schemars(extend(
        "propertyNames" = { "minLength": 1, "maxLength": 256, "not": { "pattern": "^default_" } },
        "additionalProperties" = { "type": "string", "minLength": 1, "maxLength": 1024 }
    ))]
    custom_fields: Option<BTreeMap<String, String>>,
}

impl Attributes {
    /// The attributes by ChatBot's names.
    pub fn into_wire(self) -> Object {
        let gender = self.gender.map(|gender| {
            let word = match gender {
                Gender::Male => "male",
                Gender::Female => "female",
                Gender::Other => "other",
            };
            word.to_owned()
        });
        let own = [
            ("default_email", self.email),
            ("default_username", self.username),
            ("default_name", self.name),
            ("default_url", self.url),
            ("default_avatar", self.avatar),
            ("default_language", self.language),
            ("default_timezone", self.timezone),
            ("default_gender", gender),
            ("default_ip", self.ip),
            ("default_city", self.city),
            ("default_region", self.region),
            ("default_country", self.country),
            ("default_referrer", self.referrer),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
        let custom = self.custom_fields.into_iter().flatten().map(|(name, value)| (name, Value::String(value)));
        own.chain(custom).collect()
    }
}

/// Names of the [`Attributes`] in an input.
const NAMES: [&str; 13] = [
    "email", "username", "name", "url", "avatar", "language", "timezone", "gender", "ip", "city", "region", "country",
    "referrer",
];

/// Checks the number of attributes: ChatBot requires one, and documents a limit.
pub fn check(input: &Value) -> Vec<Fault> {
    let own = NAMES.iter().filter(|name| !input[**name].is_null()).count();
    let custom = input["custom_fields"].as_object().map_or(0, serde_json::Map::len);
    match own + custom {
        0 => vec![Fault::new("", "must have email or another attribute: ChatBot requires at least one")],
        1..=MAX_ATTRIBUTES => Vec::new(),
        _ => vec![Fault::new("/custom_fields", "must make at most 99 attributes in all, which is ChatBot's limit")],
    }
}

/// ChatBot's own id of the user (`id`, 24 characters), not yours (`userId`).
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
// The id becomes a path segment.
pub struct UserId(#[schemars(regex(pattern = "^[0-9A-Za-z_-]{1,64}$"))] pub String);

/// JSON Schema of ChatBot's user object.
pub fn schema() -> Schema {
    json_schema!({
        "type": "object",
        "description": "ChatBot's user object.",
        "required": ["id"],
        "properties": {
            "id": { "type": "string" },
            "userId": { "type": "string", "description": "Your own id, or a generated UUID." },
            "banned": { "type": "boolean" },
            "attributes": {
                "type": "object",
                "description": "`default_email`, `default_name` and the like, null if unknown, and your own attributes.",
                "additionalProperties": true,
            },
            "conversations": {
                "type": ["integer", "array"],
                "description": "In lists their number, for a single user the segments.",
            },
            "createdAt": { "type": "string", "description": "`2019-01-23 13:32:30.163Z`, with a space." },
            "lastSeen": { "type": "string", "description": "Like createdAt." },
        },
        "additionalProperties": true,
    })
}
