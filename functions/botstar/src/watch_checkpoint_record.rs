//! Fires when a checkpoint record is created.
//!
//! `POST /hooks/botstar/checkpoint-record/{token}`. BotStar's help says where the URL goes, not what is posted to it:
//! <https://apps.make.com/botstar>.

use crate::person::PERSON;
use models::{Field, Kind, Module, Trigger};
use runtime::{Function, receive, store::hooks};
use schemars::Schema;
use serde_json::json;

pub static TRIGGER: Trigger = Trigger {
    name: "botstar.watch-checkpoint-record",
    platform: "botstar",
    path: "/hooks/botstar/checkpoint-record",
    event_type: "botstar.checkpoint_record.created",
    fields: &[CHECKPOINT, PERSON],
    message: None,
    headers: &[],
    secret_query: &[],
};

const CHECKPOINT: &[Field] = &[
    Field::optional("checkpoint.id", &["/checkpoint/id", "/checkpoint_id", "/checkpointId"]),
    Field::expected("checkpoint.name", &["/checkpoint/name", "/checkpoint", "/checkpoint_name", "/checkpointName"]),
    Field::optional("record.id", &["/record/id", "/record_id", "/recordId"]),
    Field::expected("record.fields", &["/record/fields", "/fields", "/record/data", "/data", "/record"]),
];

pub const MODULE: Module = Module {
    label: "Watch New Checkpoint Record",
    description: "Fires when a checkpoint record is created.",
    kind: Kind::Trigger {
        trigger: &TRIGGER,
        setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event New Checkpoint Record, and paste the URL.",
        sample: SAMPLE,
        settings: hooks::settings_schema,
    },
    output,
};

pub static FUNCTION: Function = Function {
    name: "botstar-watch-checkpoint-record",
    routes: &[
        receive::route("/hooks/botstar/checkpoint-record/{token}", MODULE.label, receive::reply_schema, |app, call| {
            Box::pin(receive::receive(app, &TRIGGER, call))
        }),
        receive::probe_route("/hooks/botstar/checkpoint-record/{token}", |app, call| {
            Box::pin(receive::probe(app, &TRIGGER, call))
        }),
    ],
    direct: None,
    settings: || crate::SETTINGS.iter().collect(),
};

fn output() -> Schema {
    models::envelope::schema(
        TRIGGER.event_type,
        json!({
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
        }),
    )
}

/// Synthetic: no public document shows what BotStar sends.
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
    fn the_sample_is_found_whole() {
        let (body, reading) = sample(&MODULE);
        assert_eq!(reading.text("checkpoint.name", &body).as_deref(), Some("Coffee Order"));
        assert_eq!(reading.get("record.fields", &body).unwrap()["Product"], "Latte");
        assert_eq!(Value::Object(reading.attributes(&body)), json!({ "plan": "gold" }));
    }
}
