//! What users are made of, by the names of ChatBot's API. <https://chatbot.com/docs/users>

use crate::client::Object;
use models::Fault;
use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// ChatBot takes no more of a user.
const MOST_ATTRIBUTES: usize = 99;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Gender {
    Male,
    Female,
    Other,
}

/// What a user can be told to be.
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
    /// Attributes of your own, texts by name. Names that begin with `default_` are ChatBot's.
    #[schemars(extend(
        "propertyNames" = { "minLength": 1, "maxLength": 256, "not": { "pattern": "^default_" } },
        "additionalProperties" = { "type": "string", "minLength": 1, "maxLength": 1024 }
    ))]
    custom_fields: Option<BTreeMap<String, String>>,
}

impl Attributes {
    /// The attributes as ChatBot names them.
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

/// The names of [`Attributes`] as an input has them.
const NAMES: [&str; 13] = [
    "email", "username", "name", "url", "avatar", "language", "timezone", "gender", "ip", "city", "region", "country",
    "referrer",
];

/// ChatBot takes no user without attributes, and none with more than it documents.
pub fn check(input: &Value) -> Vec<Fault> {
    let own = NAMES.iter().filter(|name| !input[**name].is_null()).count();
    let custom = input["custom_fields"].as_object().map_or(0, serde_json::Map::len);
    match own + custom {
        0 => vec![Fault::new("", "has neither email nor any other attribute, of which ChatBot takes at least one")],
        1..=MOST_ATTRIBUTES => Vec::new(),
        _ => vec![Fault::new("/custom_fields", "makes more than 99 attributes, which is the most that ChatBot takes")],
    }
}

/// ChatBot's own id of the user (`id`, 24 characters), not yours (`userId`).
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
// It becomes a step of a path.
pub struct UserId(#[schemars(regex(pattern = "^[0-9A-Za-z_-]{1,64}$"))] pub String);

/// A user as ChatBot has it, whole.
pub fn schema() -> Schema {
    json_schema!({
        "type": "object",
        "description": "A user as ChatBot has it, whole.",
        "required": ["id"],
        "properties": {
            "id": { "type": "string" },
            "userId": { "type": "string", "description": "The id that you gave, or else a UUID." },
            "banned": { "type": "boolean" },
            "attributes": {
                "type": "object",
                "description": "`default_email`, `default_name` and the like, null where not known, and your own.",
                "additionalProperties": true,
            },
            "conversations": {
                "type": ["integer", "array"],
                "description": "How many in a list, which ones for a single user.",
            },
            "createdAt": { "type": "string", "description": "`2019-01-23 13:32:30.163Z`, with a space." },
            "lastSeen": { "type": "string", "description": "As createdAt." },
        },
        "additionalProperties": true,
    })
}
