//! Fires when the bot, an agent or a broadcast sends a message: the Event Webhook.
//!
//! `POST /hooks/botdistrikt/message/{token}`. Its headers are documented, its body is not:
//! <https://docs.botdistrikt.com/messaging-channels/webchat-api>.

use crate::bot_user::IN_EVENT;
use models::{Field, Header, Kind, Module, Trigger};
use runtime::{App, Call, Function, Problem, Reply, receive, store::hooks};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Map, json};

const SOURCE: &str = "x-botdistrikt-source";
const SOURCE_ID: &str = "x-botdistrikt-source-id";

pub static TRIGGER: Trigger = Trigger {
    name: "botdistrikt.watch-message",
    platform: "botdistrikt",
    path: "/hooks/botdistrikt/message",
    event_type: "botdistrikt.message.sent",
    fields: &[MESSAGE, IN_EVENT],
    message: None,
    headers: &[Header { name: SOURCE, sample: "human" }, Header { name: SOURCE_ID, sample: "17" }],
    secret_query: &[],
};

const MESSAGE: &[Field] = &[Field::expected("message", &["/message", "/response", "/responses", "/text"])];

pub const MODULE: Module = Module {
    label: "Watch Messages",
    description: "Fires when an agent, a broadcast or the bot sends a message to a user.",
    kind: Kind::Trigger {
        trigger: &TRIGGER,
        setup: "In BotDistrikt, open the Website Chat integration, and paste the URL as its Event Webhook.",
        sample: SAMPLE,
        settings: hooks::settings_schema_with::<Settings>,
    },
    output,
};

pub static FUNCTION: Function = Function {
    name: "botdistrikt-watch-message",
    routes: &[
        receive::route("/hooks/botdistrikt/message/{token}", MODULE.label, receive::reply_schema, |app, call| {
            Box::pin(receive(app, call))
        }),
        receive::probe_route("/hooks/botdistrikt/message/{token}", |app, call| {
            Box::pin(receive::probe(app, &TRIGGER, call))
        }),
    ],
    direct: None,
    settings: || crate::SETTINGS.iter().collect(),
};

/// The trigger's own settings.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Settings {
    /// Whether the bot's own answers become events too. Left out: no, as whoever sent the message was answered with them.
    include_bot: Option<bool>,
}

fn output() -> Schema {
    models::envelope::schema(
        TRIGGER.event_type,
        json!({
            "source": {
                "type": "object",
                "description": "Who sent the message, as BotDistrikt's headers say.",
                "required": ["kind", "id"],
                "properties": {
                    "kind": { "enum": KINDS },
                    "id": { "type": ["string", "null"], "description": "The agent's id, or the broadcast's." },
                },
            },
            "message": { "description": "As it is in the body; null where none was found." },
        }),
    )
}

const BOT: &str = "bot";
const UNKNOWN: &str = "unknown";
const KINDS: [&str; 4] = ["human", "broadcast", BOT, UNKNOWN];
/// The id of something; longer ones are cut.
const MOST_ID_CHARS: usize = 256;

async fn receive(app: &App, call: Call) -> Result<Reply, Problem> {
    let hook = receive::find(&TRIGGER, &call)?;
    let settings: Settings = hook.settings.own().map_err(Problem::internal)?;
    let kind = header(&call, SOURCE).and_then(|said| KINDS.into_iter().find(|kind| said.eq_ignore_ascii_case(kind)));
    if kind == Some(BOT) && settings.include_bot != Some(true) {
        return receive::ignore(app).answer(&hook);
    }
    let id = header(&call, SOURCE_ID).map(|id| id.chars().take(MOST_ID_CHARS).collect::<String>());
    let source = json!({ "kind": kind.unwrap_or(UNKNOWN), "id": id });
    let told = Map::from_iter([("source".to_owned(), source)]);
    receive::take(app, &TRIGGER, &hook, &call, told).await?.answer(&hook)
}

fn header(call: &Call, name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(call.headers.get(name)?.as_bytes()).trim().to_owned();
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
    use models::{Mapping, mapping};

    #[test]
    fn the_sample_is_found_whole() {
        let body = serde_json::from_str(SAMPLE).unwrap();
        let reading = mapping::resolve(TRIGGER.fields(), &Mapping::new(), &body);
        assert_eq!(reading.unmapped, [""; 0]);
        assert_eq!(reading.text("subscriber.id", &body).as_deref(), Some("webchat.zbqr0d"));
    }
}
