//! Hooks of ChatBot, whose webhooks the sandbox keeps.

use super::chatbot::start_with;
use serde_json::Value;
use store::hooks::verification_token;
use tests::{Bundle, Sandbox, TestHook};

pub const TRIGGER: &str = "chatbot.watch-message";

/// A bundle whose ChatBot is a sandbox.
pub async fn start() -> (Sandbox, Bundle) {
    start_with(&[]).await
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
