//! A bundle with a connection to a BotStar that the sandbox plays.

use crate::support::{assertions::refused, chatbot::line};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Bundle, expect, sandbox::Sandbox, string};

pub struct BotStarAccount {
    pub bundle: Bundle,
    pub sandbox: Sandbox,
    pub connection: String,
}

impl BotStarAccount {
    /// Starts with a connection that has the token and no bot.
    pub async fn start() -> Self {
        let sandbox = Sandbox::start(0).await.unwrap();
        let bundle = Bundle::start_with(&[("BOTSTAR_API_URL", &sandbox.botstar_url())]).await;
        let connection = connect(&bundle, json!({ "api_token": Sandbox::BOTSTAR_TOKEN })).await;
        Self { bundle, sandbox, connection }
    }

    /// Replaces the connection's credentials.
    pub async fn replace_credentials(&self, credentials: Value) {
        let path = format!("/v1/connections/{}", self.connection);
        self.bundle.patch(&path, &json!({ "credentials": credentials }), 200).await;
    }

    /// The call of an action, `get-user`.
    pub fn request(&self, action: &str, mut input: Value) -> RequestBuilder {
        if let Some(fields) = input.as_object_mut() {
            fields.entry("connection").or_insert_with(|| self.connection.as_str().into());
        }
        self.bundle.request(Method::POST, &format!("/v1/actions/botstar/{action}")).json(&input)
    }

    /// Calls an action that must be answered with 200; the output.
    pub async fn act(&self, action: &str, input: Value) -> Value {
        expect(self.request(action, input), 200).await
    }

    /// Calls an action that must be refused; the problem.
    pub async fn refused(&self, action: &str, input: Value, status: u16, code: &str) -> Value {
        refused(self.request(action, input), status, code).await
    }

    /// The requests that BotStar received since the last call: method, path and query.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.sandbox.requests();
        self.sandbox.forget_requests();
        let with_query = asked.iter().map(|seen| match seen.query.as_str() {
            "" => line(seen),
            query => format!("{}?{query}", line(seen)),
        });
        with_query.collect()
    }

    /// The body of the last request.
    pub fn last_body(&self) -> Value {
        serde_json::from_str(&self.sandbox.requests().last().unwrap().body).unwrap()
    }
}

/// Makes a connection; its id.
pub async fn connect(bundle: &Bundle, credentials: Value) -> String {
    let new = json!({ "platform": "botstar", "name": "Demo", "credentials": credentials });
    string(&bundle.post("/v1/connections", &new, 201).await["id"])
}
