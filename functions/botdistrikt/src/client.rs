//! BotDistrikt's webchat API. <https://docs.botdistrikt.com/messaging-channels/webchat-api>

use crate::{API_URL, credentials::Credentials};
use connector::{
    ActionContext, Problem,
    client::{Answer, HttpClient, RequestBuilder},
    mask::MASK,
};
use http::{HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use std::time::Instant;
use url::Url;

/// BotDistrikt's user object, unchanged.
pub type BotUser = Map<String, Value>;

pub struct Client<'a> {
    http: &'a HttpClient,
    base: &'a Url,
    credentials: Credentials,
    deadline: Instant,
}

impl<'a> Client<'a> {
    pub fn of(context: &ActionContext<'a>) -> Result<Self, Problem> {
        let http = context.app.http();
        let base = context.app.config.platforms.url(&API_URL)?;
        Ok(Self { http, base, credentials: context.credentials()?, deadline: context.deadline })
    }

    /// Registers a user, with a given id or one that BotDistrikt creates.
    pub async fn register(&self, webchat_id: Option<&str>, user: Option<&BotUser>) -> Result<BotUser, Problem> {
        let mut body = json!({ "domain": self.credentials.domain });
        if let Some(id) = webchat_id {
            body["webchat_id"] = json!(id);
        }
        if let Some(user) = user {
            body["user"] = json!(user);
        }
        let mut answer = self.send(self.post("user")?.json(&body)).await?.successful(&self.secrets())?;
        // The domain replaces each mask when a message is sent, so the object must contain no other mask.
        if let Ok(user) = serde_json::from_slice::<Value>(&answer.body) {
            answer.body = user.to_string().replace(MASK, "****").into();
        }
        answer.json("BotDistrikt's user", &self.secrets())
    }

    /// Sends a message as a user. Returns the bot's answer unchanged.
    pub async fn say(&self, webchat_id: &str, user: &Value, message: &Value) -> Result<String, Problem> {
        let user = with_secret(user, &self.credentials.domain);
        let body = json!({ "domain": self.credentials.domain, "user": user, "message": message });
        let mut authorization = HeaderValue::from_str(webchat_id).map_err(Problem::internal)?;
        authorization.set_sensitive(true);
        let request = self.post("message")?.header(header::AUTHORIZATION, authorization).json(&body);
        Ok(self.send(request).await?.successful(&self.secrets())?.text(&self.secrets()))
    }

    fn secrets(&self) -> [&str; 1] {
        [&self.credentials.domain]
    }

    fn post(&self, what: &str) -> Result<RequestBuilder, Problem> {
        let mut url = self.base.clone();
        if let Ok(mut steps) = url.path_segments_mut() {
            steps.pop_if_empty().extend(["webchat_apps", &self.credentials.webchat_app_id.to_string(), what]);
        }
        Ok(self.http.request(Method::POST, url)?.header(header::ACCEPT, "application/json"))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Problem> {
        self.http.send_before(self.deadline, request).await
    }
}

/// Puts the domain back into a user object in which it was masked.
fn with_secret(user: &Value, domain: &str) -> Value {
    match user {
        Value::String(text) => Value::String(text.replace(MASK, domain)),
        Value::Array(items) => items.iter().map(|item| with_secret(item, domain)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.replace(MASK, domain), with_secret(value, domain))).collect()
        }
        other => other.clone(),
    }
}
