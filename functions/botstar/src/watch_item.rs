//! Fires when a CMS item is created.
//!
//! `POST /hooks/botstar/item/{token}`. Only a third party's description mentions the event, without its body:
//! <https://github.com/metorial/integrations/blob/cf89f9b/integrations/botstar/docs/SPEC.md>.

use crate::environment::{ENVIRONMENT, TriggerSettings, excludes_test, with};
use connector::trigger;
use payload::Field;
use serde_json::{Value, json};

trigger! {
    platform: "botstar",
    noun: "item",
    label: "Watch New CMS Item",
    description: "Fires when a CMS item is created.",
    setup: "In BotStar's Bot Builder, open Integrations, switch on the entry of the integration platform, choose the \
            event New CMS Item, and paste the URL.",
    event: "botstar.item.created",
    fields: &[ENVIRONMENT, ITEM, USER],
    data: data,
    sample: SAMPLE,
    settings: TriggerSettings,
    excludes: excludes_test,
}

const ITEM: &[Field] = &[
    Field::optional("item.id", &["/item/id", "/item/_id", "/item_id", "/itemId"]),
    Field::optional(
        "item.entity",
        &["/entity/id", "/entity/_id", "/entity_id", "/entityId", "/item/entity_id", "/entity/name", "/entity"],
    ),
    Field::expected("item.fields", &["/item/fields", "/fields", "/item/data", "/data", "/item"]),
];

/// An item belongs to no user, so a user is only looked for in unambiguous places.
const USER: &[Field] = &[
    Field::optional("subscriber.id", &["/user/id", "/user_id", "/userId"]),
    Field::optional("subscriber.name", &["/user/name", "/user_name"]),
    Field::optional("subscriber.platform_user", &["/user"]),
];

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    with(json!({
        "item": {
            "type": "object",
            "required": ["id", "entity", "fields"],
            "properties": {
                "id": { "type": ["string", "null"] },
                "entity": { "type": ["string", "null"], "description": "The entity's id, or its name." },
                "fields": { "type": ["object", "null"] },
            },
        },
    }))
}

/// Synthetic: no public document shows BotStar's body.
const SAMPLE: &str = r#"{
  "entity": { "id": "e-1", "name": "Drinks" },
  "item": { "id": "i-1", "name": "Latte", "status": "enabled", "fields": { "price": "4.50", "sizes": ["S", "L"] } },
  "environment": "live"
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use payload::{Mapping, mapping::resolve};

    #[test]
    fn every_field_of_the_sample_is_mapped_and_an_item_is_of_no_user() {
        let body = serde_json::from_str(SAMPLE).unwrap();
        let reading = resolve(TRIGGER.fields(), &Mapping::new(), &body);
        assert_eq!(reading.unmapped, [""; 0]);
        assert_eq!(reading.text("item.id", &body).as_deref(), Some("i-1"));
        assert_eq!(reading.text("item.entity", &body).as_deref(), Some("e-1"));
        assert_eq!(reading.get("item.fields", &body), Some(json!({ "price": "4.50", "sizes": ["S", "L"] })));
        for body in [body, json!({ "id": "x-1", "item": { "_id": "i-1" } })] {
            let reading = resolve(TRIGGER.fields(), &Mapping::new(), &body);
            assert_eq!(reading.text("item.id", &body).as_deref(), Some("i-1"));
            assert_eq!(reading.text("subscriber.id", &body), None);
        }
    }
}
