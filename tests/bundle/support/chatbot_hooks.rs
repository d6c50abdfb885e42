//! Hooks of ChatBot, whose webhooks the sandbox keeps.

use super::chatbot::start_with;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use store::hooks::verification_token;
use tests::{Bundle, Sandbox, TestHook};

pub const TRIGGER: &str = "chatbot.watch-message";

/// A bundle whose ChatBot is a sandbox.
pub async fn start() -> (Sandbox, Bundle) {
    start_with(&[]).await
}

/// The body of a new hook.
pub fn new(connection: &str) -> Value {
    json!({ "trigger": TRIGGER, "name": "Orders", "connection": connection })
}

/// A request for a new hook.
pub fn making(bundle: &Bundle, connection: &str) -> RequestBuilder {
    bundle.request(Method::POST, "/v1/hooks").json(&new(connection))
}

pub fn path(hook: &TestHook) -> String {
    format!("/v1/hooks/{}", hook.id)
}

pub fn webhooks(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.webhooks().as_array().unwrap().clone()
}

/// The token that ChatBot has for a URL.
pub fn token(url: &str) -> String {
    verification_token(url.rsplit('/').next().unwrap())
}
