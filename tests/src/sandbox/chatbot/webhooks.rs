//! `/webhooks`. The answer to a deletion, the limits and the keys of a header are synthetic.

use super::{Outcome, Refusal, World, bad, chance, date, done, made, missing, text};
use crate::sandbox::{Seen, Shared, calls, lock};
use models::clock::{Clock as _, SystemClock};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[derive(Clone)]
pub struct Webhook {
    pub id: String,
    pub asked: NewWebhook,
    error: Option<Value>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    pub name: String,
    /// The address, as the caller gave it.
    url: String,
    pub token: String,
    #[serde(default)]
    headers: Vec<Map<String, Value>>,
    #[serde(default)]
    auth: Auth,
}

/// The basic authorization that the webhook's address asks for.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Auth {
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl NewWebhook {
    /// Request to the webhook's address, with these query parameters in addition to its own.
    pub fn call(&self, shared: &Shared, method: Method, parameters: &[(&str, &str)]) -> RequestBuilder {
        let joint = match parameters {
            [] => "",
            _ if self.url.contains('?') => "&",
            _ => "?",
        };
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let request = shared.http.request(method, format!("{}{joint}{query}", self.url));
        match &self.auth.username {
            Some(username) => request.basic_auth(username, self.auth.password.as_ref()),
            None => request,
        }
    }

    /// Verifies the address with a challenge, which it must repeat.
    async fn verify(&self, shared: &Shared) -> Result<(), Refusal> {
        let challenge = format!("{:032x}", chance());
        let parameters = [("challenge", challenge.as_str()), ("token", &self.token)];
        let response = self.call(shared, Method::GET, &parameters).send().await;
        let response = response.map_err(|_| bad("url: the verification request had no answer"))?;
        match response.status() {
            StatusCode::OK => {}
            status => return Err(bad(format!("url: the verification request was answered {}", status.as_u16()))),
        }
        match response.text().await {
            Ok(text) if text == challenge => Ok(()),
            _ => Err(bad("url: the answer to the verification request is not the challenge")),
        }
    }
}

impl Webhook {
    fn listed(&self) -> Value {
        let error = self.error.as_ref().map_or(json!(""), |error| error["message"].clone());
        json!({ "id": self.id, "name": self.asked.name, "url": self.asked.url, "error": error })
    }

    pub fn alone(&self) -> Value {
        let NewWebhook { name, url, token, headers, auth } = &self.asked;
        json!({
            "id": self.id, "name": name, "url": url, "token": token, "headers": headers, "auth": auth,
            "error": self.error,
        })
    }
}

/// Creates a webhook. Its address is called before the answer and without a lock, because it may call back.
pub async fn create(shared: &Shared, seen: &Seen) -> Outcome {
    let asked: NewWebhook = super::fields(seen)?;
    text("name", &asked.name, 256)?;
    text("token", &asked.token, 1024)?;
    calls::check(&asked.url).map_err(bad)?;
    asked.verify(shared).await?;
    let mut world = lock(&shared.chatbot);
    let id = world.id();
    let reply = made(&id);
    world.webhooks.push(Webhook { id, asked, error: None });
    Ok(reply)
}

impl World {
    pub(super) fn webhook(&mut self, id: &str) -> Result<&mut Webhook, Refusal> {
        self.webhooks.iter_mut().find(|webhook| webhook.id == id).ok_or_else(|| missing("webhook"))
    }

    pub fn every_webhook(&self) -> Value {
        self.webhooks.iter().map(Webhook::alone).collect()
    }

    pub(super) fn list_webhooks(&self) -> Value {
        self.webhooks.iter().map(Webhook::listed).collect()
    }

    pub(super) fn delete_webhook(&mut self, id: &str) -> Outcome {
        self.webhook(id)?;
        self.webhooks.retain(|webhook| webhook.id != id);
        Ok(done())
    }

    /// Records the error of the last delivery, if the webhook still exists.
    pub(super) fn note_error(&mut self, id: &str, message: &str) {
        if let Ok(webhook) = self.webhook(id) {
            webhook.error = Some(json!({ "date": date(SystemClock.now()), "message": message }));
        }
    }
}
