//! Fires when the bot, an agent or a broadcast sends a message: the Event Webhook.
//!
//! `POST /hooks/botdistrikt/message/{token}`. Its headers are documented, its body is not:
//! <https://docs.botdistrikt.com/messaging-channels/webchat-api>.

use crate::bot_user::IN_EVENT;
use connector::{App, Problem, Request, Response, receive, trigger};
use models::Header;
use payload::Field;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

const SOURCE: &str = "x-botdistrikt-source";
const SOURCE_ID: &str = "x-botdistrikt-source-id";

trigger! {
    platform: "botdistrikt",
    noun: "message",
    label: "Watch Messages",
    description: "Fires when an agent, a broadcast or the bot sends a message to a user.",
    setup: "In BotDistrikt, open the Website Chat integration, and paste the URL as its Event Webhook.",
    event: "botdistrikt.message.sent",
    fields: &[MESSAGE, IN_EVENT],
    headers: &[Header { name: SOURCE, sample: "human" }, Header { name: SOURCE_ID, sample: "17" }],
    data: data,
    sample: SAMPLE,
    settings: TriggerSettings,
    receive: receive,
}

const MESSAGE: &[Field] = &[Field::expected("message", &["/message", "/response", "/responses", "/text"])];

/// The trigger's own settings.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct TriggerSettings {
    /// True to create events for the bot's own answers as well. Default: false, because the sender of a message already
    /// gets them as its answer.
    include_bot: Option<bool>,
}

/// JSON Schema of the fields of an event's `data`.
fn data() -> Value {
    json!({
        "source": {
            "type": "object",
            "description": "The sender of the message, from BotDistrikt's headers.",
            "required": ["kind", "id"],
            "properties": {
                "kind": { "enum": KINDS },
                "id": { "type": ["string", "null"], "description": "The agent's id, or the broadcast's." },
            },
        },
        "message": { "description": "The message from the body; null if none was found." },
    })
}

const BOT: &str = "bot";
const UNKNOWN: &str = "unknown";
const KINDS: [&str; 4] = ["human", "broadcast", BOT, UNKNOWN];
/// Longest id; longer ones are cut.
const MAX_ID_CHARS: usize = 256;

async fn receive(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = receive::find(&TRIGGER, &request)?;
    let settings: TriggerSettings = hook.settings.own().map_err(Problem::internal)?;
    let kind =
        header(&request, SOURCE).and_then(|given| KINDS.into_iter().find(|kind| given.eq_ignore_ascii_case(kind)));
    if kind == Some(BOT) && settings.include_bot != Some(true) {
        return receive::ignore(app).answer(&hook);
    }
    let id = header(&request, SOURCE_ID).map(|id| id.chars().take(MAX_ID_CHARS).collect::<String>());
    let source = json!({ "kind": kind.unwrap_or(UNKNOWN), "id": id });
    let extra_data = Map::from_iter([("source".to_owned(), source)]);
    receive::store_call(app, &TRIGGER, &hook, &request, extra_data).await?.answer(&hook)
}

fn header(request: &Request, name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(request.headers().get(name)?.as_bytes()).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Synthetic: no public document shows the body.
const SAMPLE: &str = r#"{
  "user": { "webchat_id": "webchat.zbqr0d", "first_name": "Webchat Guest 51033", "last_name": "", "channel": "web" },
  "message": { "text": "An agent will be with you in a minute." }
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use payload::{Mapping, mapping};

    #[test]
    fn every_field_of_the_sample_is_mapped() {
        let body = serde_json::from_str(SAMPLE).unwrap();
        let reading = mapping::resolve(TRIGGER.fields(), &Mapping::new(), &body);
        assert_eq!(reading.unmapped, [""; 0]);
        assert_eq!(reading.text("subscriber.id", &body).as_deref(), Some("webchat.zbqr0d"));
    }
}
