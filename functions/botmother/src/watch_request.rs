//! Fires when a bot's API-request component calls. The bot's author defines the body; our documentation has one to
//! paste.
//!
//! `POST /hooks/botmother/request/{token}`. <https://docs.botmother.com/article/42070>,
//! <https://docs.botmother.com/article/42074>

use connector::trigger;
use payload::Field;
use serde_json::{Value, json};

/// The body to paste into the component. Botmother fills in its variables; `variables` is for the bot's own.
macro_rules! body_to_paste {
    () => {
        r#"{"platform": "{{this_user.platform}}", "platform_id": "{{this_user.platform_id}}", "bm_id": "{{this_user.bm_id}}", "full_name": "{{this_user.full_name}}", "language": "{{this_user.language}}", "text": "{{last_input}}", "variables": {}}"#
    };
}

trigger! {
    platform: "botmother",
    noun: "request",
    label: "Watch Requests",
    description: "Fires when a bot's API-request component calls.",
    setup: concat!(
            "In the bot, add an API-request component with the method POST and this URL. The hook's reply becomes the \
             bot's `last_request`. If a repeated text should be a second event, set `dedupe_seconds` to 0. A body to \
             paste: ",
            body_to_paste!()
        ),
    event: "botmother.request.received",
    fields: &[FIELDS],
    data: data,
    sample: SAMPLE,
}

/// Fields of the body to paste, and names of Botmother's own variables. `bm_id` identifies the person, because a
/// platform's id may be another person's on another platform.
const FIELDS: &[Field] = &[
    Field::optional("text", &["/text"]),
    Field::optional("variables", &["/variables"]),
    Field::expected("subscriber.id", &["/bm_id", "/user/bm_id", "/this_user/bm_id"]),
    Field::optional("subscriber.name", &["/full_name", "/user/full_name", "/this_user/full_name"]),
    Field::optional("subscriber.first_name", &["/firstname", "/user/firstname", "/this_user/firstname"]),
    Field::optional("subscriber.last_name", &["/lastname", "/user/lastname", "/this_user/lastname"]),
    Field::optional("subscriber.phone", &["/phone", "/user/phone", "/this_user/phone"]),
    Field::optional("subscriber.channel", &["/platform", "/user/platform", "/this_user/platform"]),
    Field::optional("subscriber.locale", &["/language", "/user/language", "/this_user/language"]),
    Field::optional(
        "subscriber.attributes.platform_id",
        &["/platform_id", "/user/platform_id", "/this_user/platform_id"],
    ),
    Field::optional("subscriber.attributes.username", &["/username", "/user/username", "/this_user/username"]),
    Field::optional("subscriber.attributes.country", &["/country", "/user/country", "/this_user/country"]),
];

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    json!({
        "text": { "type": ["string", "null"] },
        "variables": { "type": ["object", "null"] },
    })
}

/// The body to paste as Botmother fills it in, with made-up values.
const SAMPLE: &str = r#"{
  "platform": "tg",
  "platform_id": "123456",
  "bm_id": "5c517b7773515eaa3078e2f0",
  "full_name": "Ava Chen",
  "language": "en",
  "text": "Where is my order?",
  "variables": { "order": "42" }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use payload::{Mapping, mapping};
    use serde_json::{Map, Value};

    #[test]
    fn every_field_of_the_sample_is_mapped_and_the_sample_has_every_field_to_paste() {
        let body: Value = serde_json::from_str(SAMPLE).unwrap();
        let reading = mapping::resolve(TRIGGER.fields(), &Mapping::new(), &body);
        assert_eq!(reading.unmapped, [""; 0]);
        let data = serde_json::to_value(payload::View::Map(reading.data(&body))).unwrap();
        assert_eq!(data, json!({ "text": "Where is my order?", "variables": { "order": "42" } }));
        let pasted: Map<String, Value> = serde_json::from_str(body_to_paste!()).unwrap();
        assert!(pasted.keys().eq(body.as_object().unwrap().keys()));
    }
}
