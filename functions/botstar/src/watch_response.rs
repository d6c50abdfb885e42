//! Fires when a user answers a capture block.
//!
//! `POST /hooks/botstar/response/{token}`. Only a third party's description mentions the event, without its body:
//! <https://github.com/metorial/integrations/blob/cf89f9b/integrations/botstar/docs/SPEC.md>.

use crate::{
    environment::{ENVIRONMENT, TriggerSettings, excludes_test, with},
    person::PERSON,
};
use connector::trigger;
use payload::Field;
use serde_json::{Value, json};

trigger! {
    platform: "botstar",
    noun: "response",
    label: "Watch User Capture Response",
    description: "Fires when a user answers a capture block.",
    setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event User Capture Response, and paste the URL.",
    event: "botstar.response.captured",
    fields: &[ENVIRONMENT, RESPONSE, PERSON],
    data: data,
    sample: SAMPLE,
    settings: TriggerSettings,
    excludes: excludes_test,
}

const RESPONSE: &[Field] = &[
    Field::optional(
        "response.block",
        &["/block/id", "/block_id", "/blockId", "/block/name", "/response/block", "/block"],
    ),
    Field::expected(
        "response.text",
        &[
            "/response/text",
            "/response/value",
            "/capture_response",
            "/captureResponse",
            "/response",
            "/answer",
            "/text",
        ],
    ),
];

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    with(json!({
        "response": {
            "type": "object",
            "required": ["block", "text"],
            "properties": {
                "block": { "type": ["string", "null"], "description": "The capture block's id, or its name." },
                "text": { "type": ["string", "null"] },
            },
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
  "block_id": "b-7",
  "response": "tomorrow at noon",
  "environment": "live"
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::sample;

    #[test]
    fn every_field_of_the_sample_is_mapped() {
        let (body, reading) = sample(&MODULE);
        assert_eq!(reading.text("response.block", &body).as_deref(), Some("b-7"));
        assert_eq!(reading.text("response.text", &body).as_deref(), Some("tomorrow at noon"));
    }
}
