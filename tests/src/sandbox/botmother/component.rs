//! The API request component of a bot: a call defined by the bot's author.

use crate::sandbox::{
    Shared,
    calls::{self, Answered},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Timeout of the component.
const TIMEOUT: Duration = Duration::from_secs(60);

/// User of the bot, by the names of the template's variables.
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
    /// The user's last message.
    #[serde(default = "hello")]
    text: String,
}

/// Body that Switchboard suggests to authors of bots, with one example variable.
fn suggested() -> Value {
    json!({
        "platform": "{{this_user.platform}}", "platform_id": "{{this_user.platform_id}}",
        "bm_id": "{{this_user.bm_id}}", "text": "{{last_input}}", "variables": { "order": "42" },
    })
}

fn hello() -> String {
    "Hello".to_owned()
}

/// Has a user reach the component. Reports the answer, and the screen that the user sees next.
pub async fn request(shared: &Shared, asked: Value) -> Result<Value, String> {
    let asked: Asked = serde_json::from_value(asked).map_err(|error| error.to_string())?;
    calls::check(&asked.url)?;
    let body = asked.filled(&asked.body);
    let answered = calls::make(shared.http.post(&asked.url).json(&body), TIMEOUT).await;
    Ok(json!({
        "status": answered.status(), "last_request": answered.body, "milliseconds": answered.milliseconds,
        "screen": screen(&answered),
    }))
}

/// Next screen. A 4xx answer is a success to the component; the failure of a 3xx answer is synthetic.
fn screen(answered: &Answered) -> &'static str {
    let goes_on = answered.status.is_some_and(|status| status.is_success() || status.is_client_error());
    if goes_on && answered.is_json { "next" } else { "error" }
}

impl Asked {
    /// Template with its variables replaced. An unknown name stays as it is, which is synthetic.
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
