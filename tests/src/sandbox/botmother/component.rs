//! The API request component of a bot: a call that the bot's author has put together.

use crate::sandbox::{
    Shared,
    calls::{self, Answered},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// How long the component waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who talks to the bot, by the names that a template has for it.
const USER: [(&str, &str); 9] = [
    ("platform_id", "100200300"),
    ("platform", "tg"),
    ("firstname", "Mia"),
    ("lastname", "Lind"),
    ("full_name", "Mia Lind"),
    ("username", "mialind"),
    ("language", "en"),
    ("country", "SE"),
    ("bm_id", "5c517b7773515eaa3078e2f0"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    url: String,
    #[serde(default = "suggested")]
    body: Value,
    /// What the user has said.
    #[serde(default = "hello")]
    text: String,
}

/// What Switchboard suggests to the authors of bots, with a variable of theirs.
fn suggested() -> Value {
    json!({
        "platform": "{{this_user.platform}}", "platform_id": "{{this_user.platform_id}}",
        "bm_id": "{{this_user.bm_id}}", "text": "{{last_input}}", "variables": { "order": "42" },
    })
}

fn hello() -> String {
    "Hello".to_owned()
}

/// Has a user reach the component; how it was answered, and which screen the user sees then.
pub async fn request(shared: &Shared, asked: Value) -> Result<Value, String> {
    let asked: Asked = serde_json::from_value(asked).map_err(|error| error.to_string())?;
    calls::check(&asked.url)?;
    let body = asked.filled(&asked.body);
    let answered = calls::make(shared.http.post(&asked.url).json(&body), PATIENCE).await;
    Ok(json!({
        "status": answered.status(), "last_request": answered.body, "milliseconds": answered.milliseconds,
        "screen": screen(&answered),
    }))
}

/// An answer of 4xx is a success to the component. That one of 3xx is none is synthetic.
fn screen(answered: &Answered) -> &'static str {
    let goes_on = answered.status.is_some_and(|status| status.is_success() || status.is_client_error());
    if goes_on && answered.is_json { "next" } else { "error" }
}

impl Asked {
    /// A template, with the values in the place of their names. That a name which is unknown stays is synthetic.
    fn filled(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => self.filled_text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), self.filled(value))).collect(),
            other => other.clone(),
        }
    }

    fn filled_text(&self, template: &str) -> String {
        let mut parts = template.split("{{");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let known = part.split_once("}}").and_then(|(name, after)| Some((self.value(name.trim())?, after)));
            match known {
                Some((value, after)) => text.extend([value, after]),
                None => text.extend(["{{", part]),
            }
        }
        text
    }

    fn value(&self, name: &str) -> Option<&str> {
        if name == "last_input" {
            return Some(&self.text);
        }
        let field = name.strip_prefix("this_user.")?;
        USER.iter().find(|(name, _)| *name == field).map(|(_, value)| *value)
    }
}
