//! An endpoint of an MCP client: it keeps the requests that it gets, and answers challenges and events as a test says.

use super::target::Call;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Instant,
};
use tests::eventually;
use tokio::net::TcpListener;

/// The answer to a challenge, for the text to repeat.
pub type AnswersChallenge = fn(&str) -> Response;

pub const REPEATS: AnswersChallenge = |text| repeated(text).into_response();

/// The body that repeats a challenge.
pub fn repeated(text: &str) -> String {
    json!({ "challenge": text }).to_string()
}

#[derive(Clone)]
pub struct Endpoint {
    pub url: String,
    answers: AnswersChallenge,
    /// The answer to events.
    status: Arc<Mutex<StatusCode>>,
    challenges: Arc<Mutex<Vec<Call>>>,
    events: Arc<Mutex<Vec<Call>>>,
}

impl Endpoint {
    pub async fn start(answers: AnswersChallenge) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp?k=secret-of-the-url", listener.local_addr().unwrap());
        let status = Arc::new(Mutex::new(StatusCode::NO_CONTENT));
        let endpoint = Self { url, answers, status, challenges: Arc::default(), events: Arc::default() };
        let service = Router::new().fallback(Self::take).with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        endpoint
    }

    async fn take(State(endpoint): State<Self>, headers: HeaderMap, body: Bytes) -> Response {
        let value: Value = serde_json::from_slice(&body).unwrap();
        let status = *endpoint.status.lock().unwrap();
        let call = Call { at: Instant::now(), headers, body, status };
        if value["type"] == "verification" {
            endpoint.challenges.lock().unwrap().push(call);
            return (endpoint.answers)(value["challenge"].as_str().unwrap());
        }
        endpoint.events.lock().unwrap().push(call);
        (status, "the endpoint's own words").into_response()
    }

    pub fn answers_events(&self, status: u16) {
        *self.status.lock().unwrap() = StatusCode::from_u16(status).unwrap();
    }

    /// The challenges since the last call.
    pub fn challenges(&self) -> Vec<Call> {
        std::mem::take(&mut *self.challenges.lock().unwrap())
    }

    /// The events since the last call.
    pub fn events(&self) -> Vec<Call> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }

    /// Waits for an event.
    pub async fn event(&self) -> Call {
        eventually(async || self.events.lock().unwrap().pop()).await
    }
}
