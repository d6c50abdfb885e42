//! Fires when a checkpoint record is created.
//!
//! `POST /hooks/botstar/checkpoint-record/{token}`. BotStar's help shows where to enter the URL, not what is posted to
//! it: <https://apps.make.com/botstar>.

use crate::{
    environment::{ENVIRONMENT, TriggerSettings, excludes_test, with},
    person::PERSON,
};
use connector::trigger;
use payload::Field;
use serde_json::{Value, json};

trigger! {
    platform: "botstar",
    noun: "checkpoint-record",
    label: "Watch New Checkpoint Record",
    description: "Fires when a checkpoint record is created.",
    setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event New Checkpoint Record, and paste the URL.",
    event: "botstar.checkpoint_record.created",
    fields: &[ENVIRONMENT, CHECKPOINT, PERSON],
    data: data,
    sample: SAMPLE,
    settings: TriggerSettings,
    excludes: excludes_test,
}

const CHECKPOINT: &[Field] = &[
    Field::optional("checkpoint.id", &["/checkpoint/id", "/checkpoint_id", "/checkpointId"]),
    Field::expected("checkpoint.name", &["/checkpoint/name", "/checkpoint", "/checkpoint_name", "/checkpointName"]),
    Field::optional("record.id", &["/record/id", "/record_id", "/recordId"]),
    Field::expected(
        "record.fields",
        &["/record/fields", "/fields", "/record/data", "/checkpoint_data", "/checkpointData", "/data", "/record"],
    ),
];

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    with(json!({
        "checkpoint": {
            "type": "object",
            "required": ["id", "name"],
            "properties": { "id": { "type": ["string", "null"] }, "name": { "type": ["string", "null"] } },
        },
        "record": {
            "type": "object",
            "required": ["id", "fields"],
            "properties": { "id": { "type": ["string", "null"] }, "fields": { "type": ["object", "null"] } },
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
  "checkpoint": { "id": "c-1", "name": "Coffee Order" },
  "record": {
    "id": "r-1",
    "fields": { "Product": "Latte", "Quantity": "2", "Total Cost": "9.00", "Delivery Status": "on its way" }
  }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::sample;
    use serde_json::Value;

    #[test]
    fn every_field_of_the_sample_is_mapped() {
        let (body, reading) = sample(&MODULE);
        assert_eq!(reading.text("checkpoint.name", &body).as_deref(), Some("Coffee Order"));
        assert_eq!(reading.get("record.fields", &body).unwrap()["Product"], "Latte");
        assert_eq!(Value::Object(reading.attributes(&body)), json!({ "plan": "gold" }));
    }
}
