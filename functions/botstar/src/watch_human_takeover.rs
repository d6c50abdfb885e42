//! Fires when a user asks for a human operator.
//!
//! `POST /hooks/botstar/human-takeover/{token}`. BotStar's help says where the URL goes, not what is posted to it:
//! <https://apps.make.com/botstar>.

use crate::person::PERSON;
use models::{Field, Kind, Module, Trigger};
use runtime::{Function, receive, store::hooks};
use schemars::Schema;
use serde_json::json;

pub static TRIGGER: Trigger = Trigger {
    name: "botstar.watch-human-takeover",
    platform: "botstar",
    path: "/hooks/botstar/human-takeover",
    event_type: "botstar.takeover.requested",
    fields: &[TAKEOVER, PERSON],
    message: None,
    headers: &[],
    secret_query: &[],
};

const TAKEOVER: &[Field] =
    &[Field::optional("takeover.reason", &["/takeover/reason", "/reason", "/request/reason", "/message", "/note"])];

pub const MODULE: Module = Module {
    label: "Watch New Request for Human Takeover",
    description: "Fires when a user asks for a human operator.",
    kind: Kind::Trigger {
        trigger: &TRIGGER,
        setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event New Request for Human Takeover, and paste the URL.",
        sample: SAMPLE,
        settings: hooks::settings_schema,
    },
    output,
};

pub static FUNCTION: Function = Function {
    name: "botstar-watch-human-takeover",
    routes: &[
        receive::route("/hooks/botstar/human-takeover/{token}", MODULE.label, receive::reply_schema, |app, call| {
            Box::pin(receive::receive(app, &TRIGGER, call))
        }),
        receive::probe_route("/hooks/botstar/human-takeover/{token}", |app, call| {
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
            "takeover": {
                "type": "object",
                "required": ["reason"],
                "properties": { "reason": { "type": ["string", "null"] } },
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
  "takeover": { "reason": "Wants to talk about a refund" }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::sample;

    #[test]
    fn the_sample_is_found_whole() {
        let (body, reading) = sample(&MODULE);
        assert_eq!(reading.text("takeover.reason", &body).as_deref(), Some("Wants to talk about a refund"));
    }
}
