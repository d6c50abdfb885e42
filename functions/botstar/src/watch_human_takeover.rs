//! Fires when a user asks for a human operator.
//!
//! `POST /hooks/botstar/human-takeover/{token}`. BotStar's help shows where to enter the URL, not what is posted to it:
//! <https://apps.make.com/botstar>.

use crate::{
    environment::{ENVIRONMENT, TriggerSettings, excludes_test, with},
    person::PERSON,
};
use connector::trigger;
use payload::Field;
use serde_json::{Value, json};

trigger! {
    platform: "botstar",
    noun: "human-takeover",
    label: "Watch New Request for Human Takeover",
    description: "Fires when a user asks for a human operator.",
    setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event New Request for Human Takeover, and paste the URL.",
    event: "botstar.takeover.requested",
    fields: &[ENVIRONMENT, TAKEOVER, PERSON],
    data: data,
    sample: SAMPLE,
    settings: TriggerSettings,
    excludes: excludes_test,
}

const TAKEOVER: &[Field] =
    &[Field::optional("takeover.reason", &["/takeover/reason", "/reason", "/request/reason", "/message", "/note"])];

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    with(json!({
        "takeover": {
            "type": "object",
            "required": ["reason"],
            "properties": { "reason": { "type": ["string", "null"] } },
        },
    }))
}

/// Synthetic: no public document shows BotStar's body.
const SAMPLE: &str = r#"{
  "user": {
    "id": "u-1",
    "name": "Ava Chen",
    "first_name": "Ava",
    "last_name": "Chen",
    "email": "ava@example.com",
    "channel": "facebook",
    "locale": "en_US",
    "timezone": 2,
    "tags": ["vip"],
    "plan": "gold"
  },
  "takeover": { "reason": "Wants to talk about a refund" }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::sample;

    #[test]
    fn every_field_of_the_sample_is_mapped() {
        let (body, reading) = sample(&MODULE);
        assert_eq!(reading.text("takeover.reason", &body).as_deref(), Some("Wants to talk about a refund"));
    }
}
