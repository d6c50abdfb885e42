//! The Event Webhook: messages to a user from the bot, the team and broadcasts.

use super::{World, users::Registration};
use crate::sandbox::{Shared, TIMEOUT, calls, lock};
use reqwest::{RequestBuilder, header::HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// Kind of the sender. Null sends no header for it.
    #[serde(default = "human")]
    source: Option<String>,
    source_id: Option<String>,
    /// The user registered last by default.
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

/// Calls the Event Webhook once, and reports the answer. BotDistrikt's timeout is not documented.
pub async fn say(shared: &Shared, said: Value) -> Result<Value, String> {
    let said: Said = serde_json::from_value(said).map_err(|error| error.to_string())?;
    let (url, body) = lock(&shared.botdistrikt).event(&said)?;
    let request = said.sign(shared.http.post(url).json(&body))?;
    let answered = calls::make(request, TIMEOUT).await;
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
                HeaderValue::from_str(value).map_err(|_| format!("{field}: must be valid as the value of a header"))?;
            Ok(request.header(name, value))
        })
    }
}

impl World {
    /// URL and body of the webhook's request. The method and the body are synthetic.
    fn event(&mut self, said: &Said) -> Result<(String, Value), String> {
        let url =
            self.webhook.clone().ok_or("no Event Webhook is set: set it with POST /sandbox/botdistrikt/webhook")?;
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
