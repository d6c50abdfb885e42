//! An MCP client of revision 2026-07-28.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Answer, Api, answer};

pub const MODERN: &str = "2026-07-28";

pub struct Agent<'a> {
    api: &'a Api,
    key: String,
}

impl<'a> Agent<'a> {
    /// A client with the API's own key.
    pub fn of(api: &'a Api) -> Self {
        Self::with_key(api, &api.key)
    }

    pub fn with_key(api: &'a Api, key: &str) -> Self {
        Self { api, key: key.to_owned() }
    }

    /// A POST without any of MCP's headers.
    pub fn bare(&self, body: &Value) -> RequestBuilder {
        let request = self.api.http.request(Method::POST, format!("{}/mcp", self.api.url));
        request.bearer_auth(&self.key).header("accept", "application/json, text/event-stream").json(body)
    }

    /// A request as the revision wants it.
    pub fn request(&self, method: &str, params: Value) -> RequestBuilder {
        let body = message(method, params);
        let request = self.bare(&body).header("mcp-protocol-version", MODERN).header("mcp-method", method);
        match body["params"]["name"].as_str() {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    pub async fn ask(&self, method: &str, params: Value) -> Answer {
        answer(self.request(method, params)).await
    }

    /// The result of a method.
    pub async fn result(&self, method: &str, params: Value) -> Value {
        result(&self.ask(method, params).await)
    }

    /// The result of a tool, which may be an error of the tool.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.result("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// The output of a tool that succeeds.
    pub async fn output(&self, tool: &str, arguments: Value) -> Value {
        let called = self.call(tool, arguments).await;
        assert_eq!(called["isError"], false, "{tool}: {called}");
        let text = called["content"][0]["text"].as_str().unwrap();
        let written: Value = serde_json::from_str(text).unwrap();
        assert_eq!(written, called["structuredContent"], "{tool}");
        written
    }

    /// The problem of a tool that fails.
    pub async fn failed(&self, tool: &str, arguments: Value, code: &str) -> Value {
        let called = self.call(tool, arguments).await;
        assert_eq!((&called["isError"], called.get("structuredContent")), (&json!(true), None), "{tool}: {called}");
        let problem: Value = serde_json::from_str(called["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(problem["code"], code, "{tool}: {problem}");
        problem
    }
}

/// A request with the fields that every request has.
pub fn message(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

/// The result in an answer.
pub fn result(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!((&body["jsonrpc"], &body["id"], body.get("error")), (&json!("2.0"), &json!(7), None), "{body}");
    body["result"].clone()
}

/// The answer is a JSON-RPC error with this status and code; the error.
pub fn rejected(answer: &Answer, status: u16, code: i64) -> Value {
    let body = answer.json();
    assert_eq!((answer.status.as_u16(), &body["error"]["code"]), (status, &json!(code)), "{}", answer.text);
    assert_eq!((&body["jsonrpc"], body.get("result")), (&json!("2.0"), None), "{body}");
    assert!(body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    body["error"].clone()
}
