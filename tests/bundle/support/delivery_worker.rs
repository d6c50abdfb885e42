//! Deliveries handed over one by one: nothing takes from the queue but the test. Routes lead to a target that answers what
//! the test says, and actions come to what it says.

use crate::support::{
    harness::Harness,
    receiver::{Receiver, Scripted},
};
use app::{
    App,
    functions::{Functions, InvokeOutcome, Invoking},
};
use aws::queue::{Queue, Sending};
use axum::http::Method;
use flow::deliver::{Deliverer, DeliveryCheck};
use models::{
    DeliveryId, DeliveryState, EventId, RouteId, StoredDelivery, Timestamp,
    delivery::{Message, Reason},
};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use store::routes::EventRoute;
use tests::{Bundle, TestHook, string};
use web::Problem;

/// A queue that keeps what it is sent, unless it is down.
#[derive(Default)]
pub struct Kept {
    messages: Mutex<Vec<Message>>,
    /// Latest message of each delivery, sent or not.
    latest: Mutex<HashMap<DeliveryId, Message>>,
    pub is_down: AtomicBool,
}

impl Queue for Kept {
    fn send(&self, messages: Vec<Message>) -> Sending<'_> {
        let is_down = self.is_down.load(Ordering::SeqCst);
        self.latest.lock().unwrap().extend(messages.iter().map(|one| (one.delivery.clone(), one.clone())));
        if !is_down {
            self.messages.lock().unwrap().extend(messages);
        }
        Box::pin(async move { if is_down { Err("the queue is down".into()) } else { Ok(()) } })
    }
}

/// Actions that come to what is scripted, and keep what they were run with.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<Played>>);

#[derive(Default)]
struct Played {
    next: VecDeque<InvokeOutcome>,
    calls: Vec<(String, Value)>,
}

impl Functions for Script {
    fn invoke<'a>(&'a self, function: &'a str, input: Vec<u8>) -> Invoking<'a> {
        let mut script = self.0.lock().unwrap();
        script.calls.push((function.to_owned(), serde_json::from_slice(&input).unwrap()));
        let ran = script.next.pop_front().expect("a scripted end");
        Box::pin(async { ran })
    }
}

impl Script {
    pub fn comes_to(&self, ran: InvokeOutcome) {
        self.0.lock().unwrap().next.push_back(ran);
    }

    pub fn calls(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }
}

/// True for a request that writes outcomes of attempts.
pub fn is_outcome(operation: &str, body: &str) -> bool {
    operation == "BatchExecuteStatement" && body.contains("attempts")
}

/// An answer that is a failed attempt.
pub const FAILS: Scripted = (500, &[]);

pub struct DeliveryWorker<'b> {
    pub harness: Harness<'b>,
    pub hook: TestHook,
    pub queue: Arc<Kept>,
    pub actions: Script,
    pub target: Receiver,
    pub deliverer: Deliverer,
    url: String,
    seen: AtomicUsize,
    events: AtomicUsize,
}

/// A bundle whose deliveries are tried again after 5 s, a minute and 20 minutes. Time passes as the test says.
pub async fn bundle() -> Bundle {
    let settings = [("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"), ("RETRY_SCHEDULE", "5,60,1200")];
    let bundle = Bundle::start_with(&settings).await;
    bundle.clock.hold();
    bundle
}

impl<'b> DeliveryWorker<'b> {
    pub async fn of(bundle: &'b Bundle) -> Self {
        let harness = Harness::beside(bundle);
        let (queue, actions) = (Arc::new(Kept::default()), Script::default());
        harness.app.set_queue(Arc::clone(&queue) as _);
        let deliverer = Deliverer::new(&harness.app, Box::new(actions.clone())).unwrap();
        let (target, url) = Receiver::start().await;
        let hook = bundle.hook("botstar.watch-tag").await;
        let (seen, events) = Default::default();
        Self { harness, hook, queue, actions, target, deliverer, url, seen, events }
    }

    /// A route of all events to the target, with other fields as they are given; its id.
    pub async fn route(&self, fields: Value) -> String {
        let mut route = json!({ "name": "Tags", "events": ["botstar.*"], "target": self.webhook(json!({})) });
        for (name, value) in fields.as_object().unwrap() {
            route[name] = value.clone();
        }
        let made = self.harness.answer(Method::POST, "/v1/routes", route.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.text);
        string(&made.json()["id"])
    }

    /// The target, with other fields as they are given.
    pub fn webhook(&self, fields: Value) -> Value {
        let mut target = json!({ "type": "webhook", "url": self.url });
        for (name, value) in fields.as_object().unwrap() {
            target[name] = value.clone();
        }
        target
    }

    pub async fn stored_route(&self, id: &str) -> Option<EventRoute> {
        self.harness.app.store.find(id).await.unwrap()
    }

    /// Accepts an event that is like no other, and dispatches it; its id.
    pub async fn event(&self) -> EventId {
        let number = self.events.fetch_add(1, Ordering::SeqCst);
        let body = json!({ "user": { "id": format!("u-{number}"), "name": "Ava" }, "tag": "vip", "number": number });
        let event = self.harness.accept(&self.hook, &body).await;
        self.dispatch().await;
        event.parse().unwrap()
    }

    /// Brings to dispatch what has come into the stream since.
    pub async fn dispatch(&self) {
        let records = self.harness.so_far().await;
        let seen = self.seen.swap(records.len(), Ordering::SeqCst);
        self.harness.handle(&records[seen..]).await;
    }

    /// Messages sent since the last call: the delivery's id, and the delay in seconds.
    pub fn sent(&self) -> Vec<(DeliveryId, u64)> {
        let now = self.harness.app.now();
        let messages = std::mem::take(&mut *self.queue.messages.lock().unwrap());
        messages.into_iter().map(|message| (message.delivery, message.at.millis_since(now) / 1000)).collect()
    }

    /// The one message that was sent since.
    pub fn one_sent(&self) -> (DeliveryId, u64) {
        let [sent] = self.sent().try_into().unwrap();
        sent
    }

    /// A new event, dispatched; the delivery to the only route it is for.
    pub async fn one_delivery(&self) -> DeliveryId {
        self.event().await;
        let (delivery, wait) = self.one_sent();
        assert_eq!(wait, 0);
        delivery
    }

    /// The latest message of a delivery; of one that had none, as the sweep makes it.
    pub fn message(&self, id: &DeliveryId) -> Message {
        let latest = self.queue.latest.lock().unwrap().get(id).cloned();
        latest.unwrap_or_else(|| {
            let (at, route) = (self.harness.app.now(), RouteId::new(Timestamp::from_millis(0), [0; 10]));
            Message { delivery: id.clone(), route, at, is_first: false }
        })
    }

    /// Hands over the latest message to this app for the first time.
    pub async fn hand_over(&self, app: &App, id: &DeliveryId) -> Result<(), Problem> {
        self.check(app, DeliveryCheck { message: self.message(id), is_redelivered: false, may_be_dropped: false }).await
    }

    async fn check(&self, app: &App, check: DeliveryCheck) -> Result<(), Problem> {
        self.deliverer.deliver_all(app, vec![check]).await?.into_iter().collect()
    }

    /// Hands over a message that may have been handled in part.
    pub async fn deliver(&self, id: &DeliveryId) {
        let look = DeliveryCheck { message: self.message(id), is_redelivered: true, may_be_dropped: true };
        self.check(&self.harness.app, look).await.unwrap();
    }

    /// Hands over a message that is for the attempt of this instant, for the first time.
    pub async fn deliver_planned(&self, id: &DeliveryId, at: Timestamp) {
        let look =
            DeliveryCheck { message: Message { at, ..self.message(id) }, is_redelivered: false, may_be_dropped: false };
        self.check(&self.harness.app, look).await.unwrap();
    }

    pub fn set_queue_down(&self, is_down: bool) {
        self.queue.is_down.store(is_down, Ordering::SeqCst);
    }

    pub async fn delivery(&self, id: &DeliveryId) -> StoredDelivery {
        self.harness.app.store.delivery(id).await.unwrap().unwrap()
    }

    /// A delivery is over, so, after so many attempts.
    pub async fn assert_ended(&self, id: &DeliveryId, state: DeliveryState, reason: Option<Reason>, attempts: usize) {
        let delivery = self.delivery(id).await;
        assert_eq!((delivery.state, delivery.reason, delivery.attempts.len()), (state, reason, attempts));
        assert_eq!((delivery.next_attempt_at, &delivery.due_at), (None, &None));
        assert_eq!(self.sent(), []);
    }

    pub async fn deliveries_of(&self, event: &EventId) -> Vec<StoredDelivery> {
        self.harness.app.store.deliveries_of(event).await.unwrap()
    }

    /// The events of a type of the product's own, newest first.
    pub async fn own_events(&self, event_type: &str) -> Vec<Value> {
        let mut events = self.harness.all("/v1/events").await;
        events.retain(|event| event["type"] == event_type);
        events
    }
}
