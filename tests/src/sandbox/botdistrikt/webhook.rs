//! The Event Webhook: what the bot, the team and broadcasts say to a user.

use super::{World, users::Registration};
use crate::sandbox::{PATIENCE, Shared, calls, lock};
use reqwest::{RequestBuilder, header::HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// Who says it. Null: no header tells.
    #[serde(default = "human")]
    source: Option<String>,
    source_id: Option<String>,
    /// By default the user that was registered last.
    webchat_id: Option<String>,
    #[serde(default = "hello")]
    text: String,
}

fn human() -> Option<String> {
    Some("human".to_owned())
}

fn hello() -> String {
    "Hello".to_owned()
}

/// Calls the Event Webhook once; how it was answered. How long BotDistrikt waits is not documented.
pub async fn say(shared: &Shared, said: Value) -> Result<Value, String> {
    let said: Said = serde_json::from_value(said).map_err(|error| error.to_string())?;
    let (url, body) = lock(&shared.botdistrikt).event(&said)?;
    let request = said.sign(shared.http.post(url).json(&body))?;
    let answered = calls::make(request, PATIENCE).await;
    Ok(json!({ "status": answered.status(), "body": answered.body, "milliseconds": answered.milliseconds }))
}

impl Said {
    fn sign(&self, request: RequestBuilder) -> Result<RequestBuilder, String> {
        let sources = [
            ("source", "X-BotDistrikt-Source", &self.source),
            ("source_id", "X-BotDistrikt-Source-Id", &self.source_id),
        ];
        sources.into_iter().try_fold(request, |request, (field, name, value)| {
            let Some(value) = value else { return Ok(request) };
            let value =
                HeaderValue::from_str(value).map_err(|_| format!("{field}: is no text that a header can have"))?;
            Ok(request.header(name, value))
        })
    }
}

impl World {
    /// What is posted, and where to. The method and the body are synthetic.
    fn event(&mut self, said: &Said) -> Result<(String, Value), String> {
        let url = self.webhook.clone().ok_or("there is no Event Webhook: POST /sandbox/botdistrikt/webhook sets it")?;
        let created_at = self.now().to_string();
        let meant = |registration: &&Registration| match &said.webchat_id {
            Some(id) => registration.webchat_id == *id,
            None => true,
        };
        let registration = self.registrations.iter().rfind(meant).ok_or("webchat_id: no such user is registered")?;
        let body = json!({
            "webchat_id": registration.webchat_id, "user": registration.user, "message": { "text": said.text },
            "created_at": created_at,
        });
        Ok((url, body))
    }
}
