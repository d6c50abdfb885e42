//! `/webchat_apps/{id}/user` and `/webchat_apps/{id}/message`. The refusal of undocumented fields is synthetic.

use super::{Outcome, World, unauthorized, unprocessable};
use crate::sandbox::chance;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Answer to a registration. A `webchat_id` may have several.
pub struct Registration {
    pub webchat_id: String,
    /// The bot_user of the answer.
    pub user: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    webchat_id: Option<String>,
    #[serde(default)]
    user: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    user: Value,
    message: Option<Value>,
}

impl World {
    /// The `webchat_id` of every registration, in order.
    pub fn registered(&self) -> Vec<String> {
        self.registrations.iter().map(|registration| registration.webchat_id.clone()).collect()
    }

    /// Every accepted message, in order.
    pub fn messages(&self) -> Value {
        self.messages.clone().into()
    }

    /// A `webchat_id` can be registered again and then has two records: this is synthetic.
    pub(super) fn register(&mut self, new: NewUser) -> Value {
        let webchat_id = new.webchat_id.filter(|id| !id.is_empty()).unwrap_or_else(made_id);
        let mut user = self.guest(&webchat_id);
        user.extend(new.user.into_iter().filter(|(name, _)| name != "webchat_id"));
        let user = Value::from(user);
        self.registrations.push(Registration { webchat_id, user: user.clone() });
        user
    }

    /// A bot_user with default values. The fields after `channel` are synthetic: they stand for any undocumented field.
    fn guest(&mut self, webchat_id: &str) -> Map<String, Value> {
        let name = format!("Webchat Guest {}", 10_000 + chance() % 90_000);
        let fields = [
            ("webchat_id", webchat_id.into()),
            ("first_name", name.into()),
            ("last_name", "".into()),
            ("active", true.into()),
            ("is_group", false.into()),
            ("channel", "web".into()),
            ("created_at", self.now().to_string().into()),
            ("source", json!({ "name": "sandbox", "tags": ["made-up", { "n": 1 }], "note": null })),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The `user` must equal the answer to a registration. This rule and the answer are synthetic.
    pub(super) fn hear(&mut self, authorization: Option<&str>, said: Message) -> Outcome {
        let webchat_id = authorization.unwrap_or_default();
        let own = |registration: &&Registration| registration.webchat_id == webchat_id;
        let own: Vec<&Registration> = self.registrations.iter().filter(own).collect();
        if own.is_empty() {
            return Err(unauthorized("authorization: must be a registered webchat_id"));
        }
        if !own.iter().any(|registration| registration.user == said.user) {
            return Err(unprocessable("user: must equal the answer to the registration of this webchat_id"));
        }
        let message = said.message.ok_or_else(|| unprocessable("message: is missing"))?;
        let text = message["text"].as_str().or(message.as_str()).map_or_else(|| message.to_string(), str::to_owned);
        self.messages.push(json!({ "webchat_id": webchat_id, "user": said.user, "message": message }));
        let usual = || json!({ "responses": [{ "text": format!("You said: {text}") }] });
        Ok(self.answer.clone().unwrap_or_else(usual))
    }
}

/// Random `webchat_id`, with the documented example's `webchat.` prefix and twelve characters.
fn made_id() -> String {
    format!("webchat.{}", &format!("{:032x}", chance())[..12])
}
