//! A bundle with a connection to a Botmother that the sandbox plays.

use crate::support::assertions::refused;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{
    Answer, Bundle, answer, expect,
    sandbox::{Sandbox, Seen},
    string,
};

pub const SEND: &str = "/v1/actions/botmother/send-event";

pub struct Botmother {
    pub bundle: Bundle,
    pub sandbox: Sandbox,
    pub connection: String,
}

/// A connection that sends to this URL.
pub async fn connect(bundle: &Bundle, event_url: &str) -> Value {
    let new = json!({ "platform": "botmother", "name": "Bot", "credentials": { "event_url": event_url } });
    bundle.post("/v1/connections", &new, 201).await
}

impl Botmother {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with settings besides those of the tests.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(0).await.unwrap();
        let url = sandbox.url.clone();
        let settings: Vec<_> = [("BOTMOTHER_API_URL", url.as_str())].iter().chain(settings).copied().collect();
        let bundle = Bundle::start_with(&settings).await;
        let connection = string(&connect(&bundle, &sandbox.event_url()).await["id"]);
        Self { bundle, sandbox, connection }
    }

    /// The input with the connection in it, unless it names another.
    pub fn input(&self, mut input: Value) -> Value {
        if let Some(fields) = input.as_object_mut() {
            fields.entry("connection").or_insert_with(|| self.connection.as_str().into());
        }
        input
    }

    pub fn request(&self, input: Value) -> RequestBuilder {
        self.bundle.request(Method::POST, SEND).json(&self.input(input))
    }

    /// Sends an event; the output.
    pub async fn send(&self, input: Value) -> Value {
        expect(self.request(input), 200).await
    }

    /// Sends an event that must be refused; the problem.
    pub async fn refused(&self, input: Value, status: u16, code: &str) -> Value {
        refused(self.request(input), status, code).await
    }

    /// Sends an event under an idempotency key.
    pub async fn keyed(&self, key: &str, input: Value) -> Answer {
        answer(self.request(input).header("idempotency-key", key)).await
    }

    /// Requests that Botmother received since the last call.
    pub fn asked(&self) -> Vec<Seen> {
        let asked = self.sandbox.requests();
        self.sandbox.forget_requests();
        asked
    }
}

/// An event to one user.
pub fn to_one() -> Value {
    json!({ "platform": "tg", "users": ["100200300"] })
}
