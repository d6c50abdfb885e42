//! Fires when a user subscribes to broadcasts.
//!
//! `POST /hooks/botstar/subscriber/{token}`. BotStar's help says where the URL goes, not what is posted to it:
//! <https://apps.make.com/botstar>.

use crate::person::PERSON;
use models::{Field, Kind, Module, Trigger};
use runtime::{Function, receive, store::hooks};
use schemars::Schema;
use serde_json::json;

pub static TRIGGER: Trigger = Trigger {
    name: "botstar.watch-subscriber",
    platform: "botstar",
    path: "/hooks/botstar/subscriber",
    event_type: "botstar.subscriber.created",
    fields: &[PERSON, WHOLE_BODY],
    message: None,
    headers: &[],
    secret_query: &[],
};

/// This event is about nothing but the user, so the body itself may be the user.
const WHOLE_BODY: &[Field] = &[
    Field::optional("subscriber.name", &["/name"]),
    Field::optional("subscriber.attributes", &["/attributes", ""]),
    Field::optional("subscriber.platform_user", &[""]),
];

pub const MODULE: Module = Module {
    label: "Watch New Subscriber",
    description: "Fires when a user subscribes to broadcasts.",
    kind: Kind::Trigger {
        trigger: &TRIGGER,
        setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event New Subscriber, and paste the URL.",
        sample: SAMPLE,
        settings: hooks::settings_schema,
    },
    output,
};

pub static FUNCTION: Function = Function {
    name: "botstar-watch-subscriber",
    routes: &[
        receive::route("/hooks/botstar/subscriber/{token}", MODULE.label, receive::reply_schema, |app, call| {
            Box::pin(receive::receive(app, &TRIGGER, call))
        }),
        receive::probe_route("/hooks/botstar/subscriber/{token}", |app, call| {
            Box::pin(receive::probe(app, &TRIGGER, call))
        }),
    ],
    direct: None,
    settings: || crate::SETTINGS.iter().collect(),
};

fn output() -> Schema {
    models::envelope::schema(TRIGGER.event_type, json!({}))
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
  }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::sample;
    use models::mapping::{Mapping, resolve};
    use serde_json::Value;

    #[test]
    fn the_sample_is_found_whole() {
        sample(&MODULE);
        let flat: Value = json!({ "id": "u-1", "name": "Ava", "plan": "gold" });
        let reading = resolve(TRIGGER.fields(), &Mapping::new(), &flat);
        assert_eq!(reading.text("subscriber.name", &flat).as_deref(), Some("Ava"));
        assert_eq!(Value::Object(reading.attributes(&flat)), json!({ "plan": "gold" }));
    }
}
