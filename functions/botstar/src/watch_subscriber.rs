//! Fires when a user subscribes to broadcasts.
//!
//! `POST /hooks/botstar/subscriber/{token}`. BotStar's help shows where to enter the URL, not what is posted to it:
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
    noun: "subscriber",
    label: "Watch New Subscriber",
    description: "Fires when a user subscribes to broadcasts.",
    setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event New Subscriber, and paste the URL.",
    event: "botstar.subscriber.created",
    fields: &[ENVIRONMENT, PERSON, WHOLE_BODY],
    data: data,
    sample: SAMPLE,
    settings: TriggerSettings,
    excludes: excludes_test,
}

/// This event is only about the user, so the body itself may be the user.
const WHOLE_BODY: &[Field] = &[
    Field::optional("subscriber.name", &["/name"]),
    Field::optional("subscriber.attributes", &["/attributes", ""]),
    Field::optional("subscriber.platform_user", &[""]),
];

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    with(json!({}))
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
  }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::sample;
    use payload::mapping::{Mapping, resolve};
    use serde_json::Value;

    #[test]
    fn every_field_of_the_sample_is_mapped() {
        sample(&MODULE);
        let flat: Value = json!({ "id": "u-1", "name": "Ava", "plan": "gold" });
        let reading = resolve(TRIGGER.fields(), &Mapping::new(), &flat);
        assert_eq!(reading.text("subscriber.name", &flat).as_deref(), Some("Ava"));
        assert_eq!(Value::Object(reading.attributes(&flat)), json!({ "plan": "gold" }));
    }
}
