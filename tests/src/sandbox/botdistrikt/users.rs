//! `/webchat_apps/{id}/user` and `/webchat_apps/{id}/message`. That a field which is not documented is refused is
//! synthetic.

use super::{Outcome, World, unauthorized, unprocessable};
use crate::sandbox::chance;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// An answer to a registration. A `webchat_id` may have more than one.
pub struct Registration {
    pub webchat_id: String,
    /// The bot_user, as it was answered.
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

    /// Every message that was taken, in order.
    pub fn messages(&self) -> Value {
        self.messages.clone().into()
    }

    /// That one `webchat_id` can be registered again, and then has two records, is synthetic.
    pub(super) fn register(&mut self, new: NewUser) -> Value {
        let webchat_id = new.webchat_id.filter(|id| !id.is_empty()).unwrap_or_else(made_id);
        let mut user = self.guest(&webchat_id);
        user.extend(new.user.into_iter().filter(|(name, _)| name != "webchat_id"));
        let user = Value::from(user);
        self.registrations.push(Registration { webchat_id, user: user.clone() });
        user
    }

    /// A bot_user of whom nothing is told. The fields after `channel` are synthetic: they stand for whatever is not
    /// documented.
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

    /// That the user must be as a registration answered it is synthetic, and so is the answer.
    pub(super) fn hear(&mut self, authorization: Option<&str>, said: Message) -> Outcome {
        let webchat_id = authorization.unwrap_or_default();
        let own = |registration: &&Registration| registration.webchat_id == webchat_id;
        let own: Vec<&Registration> = self.registrations.iter().filter(own).collect();
        if own.is_empty() {
            return Err(unauthorized("authorization: is not a webchat_id that is registered"));
        }
        if !own.iter().any(|registration| registration.user == said.user) {
            return Err(unprocessable("user: is not as the registration of this webchat_id answered it"));
        }
        let message = said.message.ok_or_else(|| unprocessable("message: is missing"))?;
        let text = message["text"].as_str().or(message.as_str()).map_or_else(|| message.to_string(), str::to_owned);
        self.messages.push(json!({ "webchat_id": webchat_id, "user": said.user, "message": message }));
        let usual = || json!({ "responses": [{ "text": format!("You said: {text}") }] });
        Ok(self.answer.clone().unwrap_or_else(usual))
    }
}

/// The documented example has six characters after the dot.
fn made_id() -> String {
    format!("webchat.{}", &format!("{:032x}", chance())[..12])
}
