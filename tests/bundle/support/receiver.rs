//! Where webhooks go: a server on loopback, which a setting allows. It answers as a test says and keeps what it receives.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, Response, StatusCode},
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tests::{Bundle, eventually, string};
use tokio::{
    net::TcpListener,
    sync::{Barrier, Notify},
};

/// A request as it was received.
pub type Received = (HeaderMap, Bytes);

/// An answer: its status and headers.
pub type Scripted = (u16, &'static [(&'static str, &'static str)]);

#[derive(Clone)]
pub struct Receiver(Arc<Mutex<Script>>);

struct Script {
    /// Answers to the first requests, one each.
    next: VecDeque<Scripted>,
    /// Status after the scripted answers.
    status: u16,
    body: String,
    received: Vec<Received>,
    /// Gate that holds up the next request.
    gate: Option<Arc<Gate>>,
    /// Holds up requests until as many have come.
    barrier: Option<Arc<Barrier>>,
}

#[derive(Default)]
struct Gate {
    came: Notify,
    go: Notify,
}

impl Receiver {
    /// Starts it; its URL besides.
    pub async fn start() -> (Self, String) {
        let script = Script {
            next: VecDeque::new(),
            status: 202,
            body: "taken".to_owned(),
            received: Vec::new(),
            gate: None,
            barrier: None,
        };
        let receiver = Self(Arc::new(Mutex::new(script)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in?key=1", listener.local_addr().unwrap());
        let service = axum::Router::new().fallback(Self::take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, service).await });
        (receiver, url)
    }

    /// Sets the answer from now on.
    pub fn says(&self, status: u16, body: &str) {
        let mut script = self.0.lock().unwrap();
        script.status = status;
        body.clone_into(&mut script.body);
    }

    /// It answers so first, in this order.
    pub fn answers(&self, answers: impl IntoIterator<Item = Scripted>) {
        self.0.lock().unwrap().next.extend(answers);
    }

    /// Requests received since the last call.
    pub fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.0.lock().unwrap().received)
    }

    /// It answers requests only once so many of them are under way.
    pub fn answers_together(&self, count: usize) {
        self.0.lock().unwrap().barrier = Some(Arc::new(Barrier::new(count)));
    }

    /// Has something done while the next request of what calls is under way.
    pub async fn meanwhile(&self, calls: impl Future<Output = ()>, done: impl Future<Output = ()>) {
        let gate = Arc::new(Gate::default());
        self.0.lock().unwrap().gate = Some(Arc::clone(&gate));
        let held_up = async {
            gate.came.notified().await;
            done.await;
            gate.go.notify_one();
        };
        tokio::join!(calls, held_up);
    }

    async fn take(State(receiver): State<Self>, headers: HeaderMap, body: Bytes) -> Response<String> {
        let gate = receiver.0.lock().unwrap().gate.take();
        if let Some(gate) = gate {
            gate.came.notify_one();
            gate.go.notified().await;
        }
        let barrier = receiver.0.lock().unwrap().barrier.clone();
        if let Some(barrier) = barrier {
            barrier.wait().await;
        }
        let mut script = receiver.0.lock().unwrap();
        script.received.push((headers, body));
        let (status, headers) = script.next.pop_front().unwrap_or((script.status, &[]));
        let mut response = Response::new(script.body.clone());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        response
    }
}

/// The ids under which requests came.
pub fn webhook_ids(received: &[Received]) -> Vec<String> {
    received.iter().map(|(headers, _)| headers["webhook-id"].to_str().unwrap().to_owned()).collect()
}

/// A bundle whose routes may lead to loopback, and which waits so long between attempts.
pub async fn start(retry_schedule: &str) -> Bundle {
    Bundle::start_with(&[("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"), ("RETRY_SCHEDULE", retry_schedule)]).await
}

/// Makes a route of these types of events to a webhook; its id.
pub async fn route(bundle: &Bundle, events: &str, url: &str) -> String {
    let route = json!({ "name": "Demo", "events": [events], "target": { "type": "webhook", "url": url } });
    string(&bundle.post("/v1/routes", &route, 201).await["id"])
}

/// Waits until a list of deliveries has so many, all in this state, and gives them.
pub async fn until_all(bundle: &Bundle, list: &str, state: &str, count: usize) -> Vec<Value> {
    eventually(|| async {
        let items = bundle.all(list).await;
        (items.len() == count && items.iter().all(|delivery| delivery["state"] == state)).then_some(items)
    })
    .await
}
