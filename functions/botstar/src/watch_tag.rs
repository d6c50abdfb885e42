//! Fires when a tag is added to a user.
//!
//! `POST /hooks/botstar/tag/{token}`. BotStar's help says where the URL goes, not what is posted to it:
//! <https://apps.make.com/botstar>.

use crate::person::PERSON;
use models::{Field, Kind, Module, Trigger};
use runtime::{Function, receive, store::hooks};
use schemars::Schema;
use serde_json::json;

pub static TRIGGER: Trigger = Trigger {
    name: "botstar.watch-tag",
    platform: "botstar",
    path: "/hooks/botstar/tag",
    event_type: "botstar.tag.added",
    fields: &[TAG, PERSON],
    message: None,
    headers: &[],
    secret_query: &[],
};

const TAG: &[Field] = &[Field::expected("tag", &["/tag/name", "/tag", "/tag_name", "/tagName"])];

pub const MODULE: Module = Module {
    label: "Watch New Tag on User",
    description: "Fires when a tag is added to a user.",
    kind: Kind::Trigger {
        trigger: &TRIGGER,
        setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event New Tag on User, and paste the URL.",
        sample: SAMPLE,
        settings: hooks::settings_schema,
    },
    output,
};

pub static FUNCTION: Function = Function {
    name: "botstar-watch-tag",
    routes: &[
        receive::route("/hooks/botstar/tag/{token}", MODULE.label, receive::reply_schema, |app, call| {
            Box::pin(receive::receive(app, &TRIGGER, call))
        }),
        receive::probe_route("/hooks/botstar/tag/{token}", |app, call| Box::pin(receive::probe(app, &TRIGGER, call))),
    ],
    direct: None,
    settings: || crate::SETTINGS.iter().collect(),
};

fn output() -> Schema {
    models::envelope::schema(TRIGGER.event_type, json!({ "tag": { "type": ["string", "null"] } }))
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
  "tag": "vip"
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::sample;

    #[test]
    fn the_sample_is_found_whole() {
        let (body, reading) = sample(&MODULE);
        assert_eq!(reading.text("tag", &body).as_deref(), Some("vip"));
    }
}
