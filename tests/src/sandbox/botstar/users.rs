//! `/bots/{botId}/users`.

use super::{Bot, Outcome, Refusal, bad, missing};
use serde_json::{Map, Value, json};

pub struct User(Map<String, Value>);

/// Users of the first bot.
pub fn seeded() -> Vec<User> {
    let user = |number: u32, first: &str, last: &str, more: Value| {
        let mut user = json!({
            "id": format!("u-{number}"), "board_id": super::BOT_ID, "name": format!("{first} {last}"),
            "first_name": first, "last_name": last, "email": format!("{}@example.com", first.to_lowercase()),
            "channel": "facebook", "locale": "en_US", "timezone": 2, "picture": "https://example.com/picture.png",
            "ip": "203.0.113.7", "tags": ["vip"], "otn_topics": [],
        });
        let fields = user.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        User(fields.clone())
    };
    vec![user(1, "Ava", "Chen", json!({ "plan": "gold" })), user(2, "Ben", "Okoye", json!({ "tags": [] }))]
}

impl User {
    pub fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or_default()
    }

    pub fn whole(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// Sets attributes. The answer repeats them.
    pub fn change(&mut self, attributes: Map<String, Value>) -> Outcome {
        for (name, value) in &attributes {
            if !(value.is_string() || value.is_number() || value.is_boolean()) {
                return Err(bad(format!("{name}: must be a string, a number or a boolean")));
            }
            if matches!(name.as_str(), "first_name" | "last_name") && value == "" {
                return Err(bad(format!("{name}: must have at least 1 character")));
            }
        }
        self.0.extend(attributes.clone());
        Ok(Value::Object(attributes))
    }
}

impl Bot {
    pub(super) fn user(&mut self, id: &str) -> Result<&mut User, Refusal> {
        self.users.iter_mut().find(|user| user.id() == id).ok_or_else(|| missing("user"))
    }
}
