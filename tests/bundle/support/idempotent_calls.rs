//! Support for tests of idempotency keys: calls with a key, and counts of ChatBot's requests.

use crate::support::{assertions::problem, chatbot::ChatBot};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Answer, answer, string};

pub const REPLAYED: &str = "idempotent-replayed";

impl ChatBot {
    /// A body with the connection in it.
    pub fn input(&self, mut fields: Value) -> Value {
        fields["connection"] = json!(self.connection);
        fields
    }

    /// A call of an action.
    pub fn call(&self, action: &str, key: &str, fields: Value) -> RequestBuilder {
        let request = self.bundle.request(Method::POST, &format!("/v1/actions/chatbot/{action}"));
        request.header("idempotency-key", key).json(&self.input(fields))
    }

    pub async fn answer(&self, action: &str, key: &str, fields: Value) -> Answer {
        answer(self.call(action, key, fields)).await
    }

    /// Number of requests that ChatBot received with this method and path.
    pub fn received(&self, method: &str, path: &str) -> usize {
        let requests = self.sandbox.requests().into_iter();
        requests.filter(|seen| seen.method.as_str() == method && seen.path == path).count()
    }

    /// Number of requests to create a user.
    pub fn created(&self) -> usize {
        self.received("POST", "/users")
    }
}

pub fn ava() -> Value {
    json!({ "name": "Ava Stone", "email": "ava@example.com" })
}

pub fn is_replayed(answer: &Answer) -> bool {
    answer.headers.get(REPLAYED).is_some_and(|value| value == "true")
}

/// It is the same problem, of another request.
pub fn assert_same_problem(first: &Answer, second: &Answer) {
    let reported = |answer: &Answer| {
        let status = answer.status.as_u16();
        let code = string(&answer.json()["code"]);
        let mut reported = problem(answer, status, &code);
        reported["instance"] = Value::Null;
        reported
    };
    assert_eq!(reported(first), reported(second));
    assert_ne!(first.json()["instance"], second.json()["instance"]);
    assert!(!is_replayed(first) && is_replayed(second), "{second:?}");
}
