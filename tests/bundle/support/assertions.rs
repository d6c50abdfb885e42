//! Assertions shared by several tests, and a scripted BotStar.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Method as HttpMethod, Response, StatusCode, Uri},
};
use registry::TriggerEntry;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tests::{Answer, Bundle, answer, string};
use tokio::net::TcpListener;

/// The answer is a problem as the contract has it, under the request's own id; its body.
pub fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    let text = &answer.text;
    assert_eq!(answer.status.as_u16(), status, "{text}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{text}");
    let body = answer.json();
    assert_eq!((&body["status"], &body["code"]), (&json!(status), &json!(code)), "{text}");
    assert_eq!(body["instance"], answer.headers["x-request-id"].to_str().unwrap(), "{text}");
    for field in ["type", "title", "detail"] {
        assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {text}");
    }
    body
}

/// Sends a request that has to be refused; the problem.
pub async fn refused(request: RequestBuilder, status: u16, code: &str) -> Value {
    problem(&answer(request).await, status, code)
}

/// Where a problem's faults are. One field may have more than one.
pub fn pointers(problem: &Value) -> Vec<&str> {
    let faults = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut pointers: Vec<&str> = faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    pointers.dedup();
    pointers
}

/// Makes a key; its id and the key itself.
pub async fn make_key(bundle: &Bundle, scope: &str) -> (String, String) {
    let made = bundle.post("/v1/keys", &json!({ "name": scope, "scope": scope }), 201).await;
    (string(&made["id"]), string(&made["key"]))
}

/// A request with a key of one's own.
pub fn with_key(bundle: &Bundle, method: Method, path: &str, key: &str) -> RequestBuilder {
    bundle.http.request(method, format!("{}{path}", bundle.local.url)).bearer_auth(key)
}

/// Number of requests to the store by operation and table. The deliveries table is left out, because it is polled all
/// the time.
pub fn received(bundle: &Bundle) -> BTreeMap<(String, String), u64> {
    let mut calls = bundle.local.database.calls();
    calls.retain(|(_, table), _| *table != bundle.local.app.config.tables.deliveries);
    calls
}

/// The triggers whose URLs are pasted by hand.
pub fn by_hand() -> impl Iterator<Item = TriggerEntry> {
    registry::triggers().filter(|watch| watch.registrar().is_none())
}

/// Length of every list.
pub async fn counts(bundle: &Bundle) -> Vec<usize> {
    let mut counts = Vec::new();
    for list in ["connections", "hooks", "keys", "events", "subscribers", "checkpoint-records", "takeovers"] {
        counts.push(bundle.all(&format!("/v1/{list}")).await.len());
    }
    counts
}

pub async fn rejected(bundle: &Bundle, hook: &str) -> Vec<Value> {
    bundle.all(&format!("/v1/hooks/{hook}/rejected")).await
}

/// Request that the stub received: method, path and `Authorization`.
pub type Asked = (HttpMethod, String, String);

#[derive(Default)]
struct Script {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    asked: Vec<Asked>,
}

/// Plays BotStar's API. Synthetic: no document of the vendor shows the bodies of its errors.
#[derive(Clone, Default)]
pub struct BotStar(Arc<Mutex<Script>>);

impl BotStar {
    /// Starts it; its base URL besides.
    pub async fn start() -> (Self, String) {
        let stub = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let service = axum::Router::new().fallback(Self::answer).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        (stub, url)
    }

    pub fn says(&self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let mut script = self.0.lock().unwrap();
        script.status = status;
        script.headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        body.clone_into(&mut script.body);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.0.lock().unwrap().asked.clone()
    }

    async fn answer(State(stub): State<Self>, method: HttpMethod, uri: Uri, headers: HeaderMap) -> Response<Body> {
        let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let mut script = stub.0.lock().unwrap();
        script.asked.push((method, uri.to_string(), key));
        let mut response = Response::builder().status(StatusCode::from_u16(script.status).unwrap());
        for (name, value) in &script.headers {
            response = response.header(*name, value);
        }
        response.body(Body::from(script.body.clone())).unwrap()
    }
}
