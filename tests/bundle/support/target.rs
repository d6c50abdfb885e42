//! Targets of routes: servers on loopback that keep the requests and answer as a test says. And the deliveries to them, as
//! stored.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use models::{EventId, StoredDelivery};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use store::list::Listing;
use tests::{Api, Bundle, string};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Notify,
};
use webhook::Secret;

/// Setting that allows routes to loopback.
pub const ALLOW: (&str, &str) = ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8");

/// A request that a target received.
#[derive(Clone)]
pub struct Call {
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub status: StatusCode,
}

impl Call {
    pub fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    /// Verifies the signature by Standard Webhooks with this secret.
    pub fn is_signed(&self, secret: &str) -> bool {
        let secret: Secret = secret.parse().unwrap();
        let text = |name: &str| self.headers[name].to_str().unwrap();
        let signature = webhook::sign(&[secret], self.id(), text("webhook-timestamp").parse().unwrap(), &self.body);
        text("webhook-signature").split(' ').any(|one| one == signature)
    }
}

/// How a call is answered, and after how long; by how many calls there were before it.
type Answers = fn(usize) -> (StatusCode, Duration);

pub const TAKES_ALL: Answers = |_| (StatusCode::NO_CONTENT, Duration::ZERO);

#[derive(Clone)]
pub struct Target {
    pub url: String,
    received: Arc<Mutex<Received>>,
    came: Arc<Notify>,
    answers: Answers,
}

#[derive(Default)]
struct Received {
    calls: Vec<Call>,
    /// The events of the calls that were answered with success.
    taken: BTreeSet<String>,
}

impl Target {
    pub async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Self::at(&listener.local_addr().unwrap().to_string(), answers);
        target.clone().serve(listener);
        target
    }

    /// One that refuses connections, until it listens at the socket.
    pub fn dead(answers: Answers) -> (Self, TcpSocket) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        (Self::at(&socket.local_addr().unwrap().to_string(), answers), socket)
    }

    pub fn listen(&self, socket: TcpSocket) {
        self.clone().serve(socket.listen(1024).unwrap());
    }

    fn at(address: &str, answers: Answers) -> Self {
        Self { url: format!("http://{address}/in"), received: Arc::default(), came: Arc::default(), answers }
    }

    fn serve(self, listener: TcpListener) {
        let service = axum::Router::new().fallback(Self::take).with_state(self);
        tokio::spawn(async move { axum::serve(listener, service).await });
    }

    async fn take(State(target): State<Self>, headers: HeaderMap, body: Bytes) -> StatusCode {
        let (status, after) = target.keep(headers, body);
        tokio::time::sleep(after).await;
        status
    }

    fn keep(&self, headers: HeaderMap, body: Bytes) -> (StatusCode, Duration) {
        let mut received = self.received.lock().unwrap();
        let (status, after) = (self.answers)(received.calls.len());
        let call = Call { at: Instant::now(), headers, body, status };
        if status.is_success() {
            received.taken.insert(call.id().to_owned());
        }
        received.calls.push(call);
        self.came.notify_one();
        (status, after)
    }

    pub fn calls(&self) -> Vec<Call> {
        self.received.lock().unwrap().calls.clone()
    }

    pub fn count(&self) -> usize {
        self.received.lock().unwrap().calls.len()
    }

    /// Waits for a call with this event, unless it is the latest already.
    pub async fn until_latest_is(&self, event: &str) -> Call {
        loop {
            let latest = self.received.lock().unwrap().calls.last().filter(|call| call.id() == event).cloned();
            match latest {
                Some(call) => return call,
                None => self.came.notified().await,
            }
        }
    }

    /// The number of events that were answered with success.
    pub fn taken(&self) -> usize {
        self.received.lock().unwrap().taken.len()
    }

    pub fn took_all(&self, events: &BTreeSet<String>) -> bool {
        self.received.lock().unwrap().taken.is_superset(events)
    }

    pub fn took(&self, event: &str) -> bool {
        self.received.lock().unwrap().taken.contains(event)
    }

    /// The calls that were answered with success and whose event had been taken before.
    pub fn duplicates(&self) -> usize {
        let received = self.received.lock().unwrap();
        received.calls.iter().filter(|call| call.status.is_success()).count() - received.taken.len()
    }
}

/// Makes a route of these events to a webhook; as it is answered, with its secret.
pub async fn route_to(api: &Api, events: &str, url: &str) -> Value {
    let target = json!({ "type": "webhook", "url": url });
    api.post("/v1/routes", &json!({ "name": "Demo", "events": [events], "target": target }), 201).await
}

/// The deliveries of a listing.
pub async fn listed(bundle: &Bundle, listing: Listing<'_>) -> Vec<StoredDelivery> {
    let store = &bundle.local.app.store;
    let mut entries = store.entries(listing, 400).await.unwrap();
    let mut found = Vec::new();
    while let Some(entry) = entries.next().await.unwrap() {
        found.extend(store.delivery(&entry.sk.unwrap().parse().unwrap()).await.unwrap());
    }
    found
}

/// The delivery of an event to a route.
pub async fn delivery(bundle: &Bundle, event: &str, route: &Value) -> Option<StoredDelivery> {
    let event: EventId = event.parse().unwrap();
    let of_event = bundle.local.app.store.deliveries_of(&event).await.unwrap();
    of_event.into_iter().find(|delivery| delivery.route.as_str() == string(&route["id"]))
}
