//! A bundle with a connection to a BotDistrikt that the sandbox plays.

use crate::support::assertions::refused;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Answer, Bundle, answer, expect, sandbox::Sandbox, string};

pub struct BotDistrikt {
    pub bundle: Bundle,
    pub sandbox: Sandbox,
    pub connection: String,
}

impl BotDistrikt {
    pub async fn start() -> Self {
        let sandbox = Sandbox::start(0).await.unwrap();
        let bundle = Bundle::start_with(&[("BOTDISTRIKT_API_URL", &sandbox.botdistrikt_url())]).await;
        let connection = bundle.connection("botdistrikt").await;
        Self { bundle, sandbox, connection }
    }

    /// The input of an action, on the connection unless it names another.
    pub fn input(&self, mut input: Value) -> Value {
        input.as_object_mut().unwrap().entry("connection").or_insert_with(|| self.connection.as_str().into());
        input
    }

    /// The call of an action, `register-user`.
    pub fn request(&self, action: &str, input: Value) -> RequestBuilder {
        self.bundle.request(Method::POST, &format!("/v1/actions/botdistrikt/{action}")).json(&self.input(input))
    }

    pub async fn answer(&self, action: &str, input: Value) -> Answer {
        answer(self.request(action, input)).await
    }

    /// Calls an action that must be answered with this status; the body.
    pub async fn act(&self, action: &str, input: Value, status: u16) -> Value {
        expect(self.request(action, input), status).await
    }

    /// Calls an action that must be refused; the problem.
    pub async fn refused(&self, action: &str, input: Value, status: u16, code: &str) -> Value {
        refused(self.request(action, input), status, code).await
    }

    /// Registers a user, or finds the one that is registered.
    pub async fn register(&self, webchat_id: &str) -> Value {
        self.act("register-user", json!({ "webchat_id": webchat_id }), 200).await
    }

    /// Says something as a user.
    pub async fn say(&self, webchat_id: &str, text: &str) -> Value {
        self.act("send-message", json!({ "webchat_id": webchat_id, "message": text }), 200).await
    }

    /// Where the subscriber is read that an answer is about.
    pub fn subscriber_path(registered: &Value) -> String {
        format!("/v1/subscribers/{}", string(&registered["subscriber"]))
    }

    /// The subscriber that an answer is about.
    pub async fn subscriber(&self, registered: &Value) -> Value {
        self.bundle.get(&Self::subscriber_path(registered), 200).await
    }

    /// The bodies of what BotDistrikt was asked since the last look.
    pub fn asked(&self) -> Vec<Value> {
        let asked = self.sandbox.requests();
        self.sandbox.forget_requests();
        asked.iter().map(|seen| serde_json::from_str(&seen.body).unwrap()).collect()
    }
}
