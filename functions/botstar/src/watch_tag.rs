//! Fires when a tag is added to a user.
//!
//! `POST /hooks/botstar/tag/{token}`. BotStar's help shows where to enter the URL, not what is posted to it:
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
    noun: "tag",
    label: "Watch New Tag on User",
    description: "Fires when a tag is added to a user.",
    setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event New Tag on User, and paste the URL.",
    event: "botstar.tag.added",
    fields: &[ENVIRONMENT, TAG, PERSON],
    data: data,
    sample: SAMPLE,
    settings: TriggerSettings,
    excludes: excludes_test,
}

const TAG: &[Field] = &[Field::expected("tag", &["/tag/name", "/tag", "/tag_name", "/tagName"])];

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    with(json!({ "tag": { "type": ["string", "null"] } }))
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
  "tag": "vip"
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::sample;

    #[test]
    fn every_field_of_the_sample_is_mapped() {
        let (body, reading) = sample(&MODULE);
        assert_eq!(reading.text("tag", &body).as_deref(), Some("vip"));
    }
}
