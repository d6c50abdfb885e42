//! Fires when an attribute of a user changes.
//!
//! `POST /hooks/botstar/attribute/{token}`. Only a third party's description mentions the event, without its body:
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
    noun: "attribute",
    label: "Watch Updated User Attribute",
    description: "Fires when an attribute of a user changes.",
    setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event Updated User Attribute, and paste the URL.",
    event: "botstar.attribute.updated",
    fields: &[ENVIRONMENT, ATTRIBUTE, PERSON],
    data: data,
    sample: SAMPLE,
    settings: TriggerSettings,
    excludes: excludes_test,
}

const ATTRIBUTE: &[Field] = &[
    Field::expected("attribute.name", &["/attribute/name", "/attribute_name", "/attributeName", "/attribute"]),
    Field::optional("attribute.value", &["/attribute/value", "/attribute_value", "/attributeValue", "/value"]),
];

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    with(json!({
        "attribute": {
            "type": "object",
            "required": ["name", "value"],
            "properties": {
                "name": { "type": ["string", "null"] },
                "value": { "description": "Any JSON; null if there is none." },
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
  "attribute": { "name": "plan", "value": "gold" },
  "environment": "live"
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::sample;
    use payload::{Mapping, mapping::resolve};

    #[test]
    fn every_field_of_the_sample_is_mapped() {
        let (body, reading) = sample(&MODULE);
        assert_eq!(reading.text("attribute.name", &body).as_deref(), Some("plan"));
        assert_eq!(reading.get("attribute.value", &body), Some(json!("gold")));
        assert_eq!(reading.get("environment", &body), Some(json!("live")));
    }

    #[test]
    fn a_value_may_be_any_json() {
        for value in [json!(9_007_199_254_740_993_u64), json!(false), json!(""), json!(["a"]), json!({ "b": null })] {
            let body = json!({ "user_id": "u-1", "attribute": "plan", "attribute_value": value });
            let reading = resolve(TRIGGER.fields(), &Mapping::new(), &body);
            assert_eq!(reading.text("attribute.name", &body).as_deref(), Some("plan"));
            assert_eq!(reading.get("attribute.value", &body), Some(value));
        }
    }
}
