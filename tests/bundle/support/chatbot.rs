//! A bundle with a connection to a ChatBot that the sandbox plays.

use crate::support::assertions::refused;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tests::{
    Bundle, expect,
    sandbox::{Sandbox, Seen},
    string,
};

pub struct ChatBot {
    pub bundle: Bundle,
    pub sandbox: Sandbox,
    pub connection: String,
}

/// A bundle whose ChatBot the sandbox plays, and no connection yet.
pub async fn start_with(settings: &[(&str, &str)]) -> (Sandbox, Bundle) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let url = sandbox.chatbot_url();
    let settings: Vec<_> = [("CHATBOT_API_URL", url.as_str())].iter().chain(settings).copied().collect();
    let bundle = Bundle::start_with(&settings).await;
    (sandbox, bundle)
}

impl ChatBot {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with settings besides those of the tests.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let (sandbox, bundle) = start_with(settings).await;
        let connection = bundle.connection("chatbot").await;
        Self { bundle, sandbox, connection }
    }

    /// The call of an action, `get-user`, on the connection unless the input names another.
    pub fn request(&self, action: &str, mut input: Value) -> RequestBuilder {
        if let Some(fields) = input.as_object_mut() {
            fields.entry("connection").or_insert_with(|| self.connection.as_str().into());
        }
        self.bundle.request(Method::POST, &format!("/v1/actions/chatbot/{action}")).json(&input)
    }

    /// Calls an action that must be answered with this status; the body.
    pub async fn act(&self, action: &str, input: Value, status: u16) -> Value {
        expect(self.request(action, input), status).await
    }

    /// Calls an action that must be refused; the problem.
    pub async fn refused(&self, action: &str, input: Value, status: u16, code: &str) -> Value {
        refused(self.request(action, input), status, code).await
    }

    /// Requests that ChatBot received since the last call.
    pub fn asked(&self) -> Vec<Seen> {
        let asked = self.sandbox.requests();
        self.sandbox.forget_requests();
        asked
    }

    /// The id of a user that is there from the start.
    pub fn ava(&self) -> String {
        string(&self.sandbox.users()[0]["id"])
    }

    /// The id of a story that is there from the start.
    pub fn story(&self) -> String {
        string(&self.sandbox.stories()[0]["id"])
    }
}

/// Method and path.
pub fn line(seen: &Seen) -> String {
    format!("{} {}", seen.method, seen.path)
}
