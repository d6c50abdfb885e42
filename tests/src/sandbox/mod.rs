//! A server that simulates the platforms, each under a path of its own, so that everything can be tried without an
//! account. It is built from the vendors' published documents. Behaviour that no vendor's page backs is called
//! synthetic in the code.

mod botdistrikt;
mod botmother;
mod botstar;
mod calls;
mod chatbot;
mod control;
mod fault;
mod guide;
mod platform;
mod server;

pub use fault::{Fault, FaultKind};
pub use platform::Platform;

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use models::{
    Timestamp,
    clock::{Clock as _, SystemClock, random},
};
use reqwest::redirect::Policy;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};

/// Default timeout of a platform's calls. ChatBot's own sample of an error says `timeout of 10000ms exceeded`.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Running sandbox. It stops when its last clone is dropped.
#[derive(Clone)]
pub struct Sandbox {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    shared: Arc<Shared>,
    _open: watch::Sender<()>,
}

/// Request that a platform received.
#[derive(Debug, Clone)]
pub struct Seen {
    pub platform: Platform,
    pub method: Method,
    /// Path without the platform's prefix, such as `/chatbot`.
    pub path: String,
    /// Query as sent, or empty.
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn authorization(&self) -> Option<&str> {
        self.headers.get(header::AUTHORIZATION)?.to_str().ok()
    }
}

/// Handler that answers in a platform's place.
type Script = Box<dyn Fn(&Seen) -> Response + Send>;

/// State shared by all requests.
struct Shared {
    url: String,
    http: reqwest::Client,
    /// The sender is dropped with the sandbox.
    open: watch::Receiver<()>,
    faults: Mutex<Vec<Fault>>,
    script: Mutex<Option<Script>>,
    seen: Mutex<Vec<Seen>>,
    botstar: Mutex<botstar::World>,
    chatbot: Mutex<chatbot::World>,
    botdistrikt: Mutex<botdistrikt::World>,
    botmother: Mutex<botmother::World>,
}

impl Shared {
    async fn closed(&self) {
        // The value never changes, so only the drop of the sender ends this wait.
        let _ = self.open.clone().changed().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn chance() -> u128 {
    u128::from_ne_bytes(random().expect("the system's random bytes"))
}

/// Current time, or a millisecond after the latest if that is later.
fn next(latest: Timestamp) -> Timestamp {
    SystemClock.now().max(Timestamp::from_millis(latest.millis() + 1))
}

/// Deserializes a field that may be left out, but must not be null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Sandbox {
    /// The only API token that BotStar accepts.
    pub const BOTSTAR_TOKEN: &str = botstar::TOKEN;
    /// The bot that BotStar has from the start.
    pub const BOT_ID: &str = botstar::BOT_ID;
    /// The only access token that ChatBot accepts.
    pub const TOKEN: &str = chatbot::TOKEN;
    /// The only webchat app at BotDistrikt.
    pub const WEBCHAT_APP_ID: u64 = botdistrikt::WEBCHAT_APP_ID;
    /// The secret domain of that app.
    pub const DOMAIN: &str = botdistrikt::DOMAIN;
    /// The only event at Botmother, as in its URL.
    pub const EVENT_ID: &str = botmother::EVENT_ID;
    /// The secret part of that URL.
    pub const EVENT_TOKEN: &str = botmother::EVENT_TOKEN;

    /// Serves on loopback. Port 0 means any free port.
    pub async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(TIMEOUT);
        let (sender, open) = watch::channel(());
        let shared = Arc::new(Shared {
            url: url.clone(),
            http: http.build().map_err(io::Error::other)?,
            open,
            faults: Mutex::default(),
            script: Mutex::default(),
            seen: Mutex::default(),
            botstar: Mutex::new(botstar::World::seeded()),
            chatbot: Mutex::new(chatbot::World::seeded()),
            botdistrikt: Mutex::default(),
            botmother: Mutex::default(),
        });
        tokio::spawn(server::serve(listener, shared.clone()));
        Ok(Self { url, shared, _open: sender })
    }

    pub fn botstar_url(&self) -> String {
        format!("{}{}", self.url, botstar::PREFIX)
    }

    pub fn chatbot_url(&self) -> String {
        format!("{}{}", self.url, chatbot::PREFIX)
    }

    pub fn botdistrikt_url(&self) -> String {
        format!("{}{}", self.url, botdistrikt::PREFIX)
    }

    /// URL of Botmother's event. The base of Botmother's URLs is that of the sandbox.
    pub fn event_url(&self) -> String {
        format!("{}{}", self.url, botmother::event_path())
    }

    /// Settings that point Switchboard to this sandbox, one a line.
    pub fn settings(&self) -> String {
        guide::settings(&self.url)
    }

    /// Credentials for a connection of each platform, one a line.
    pub fn credentials(&self) -> String {
        guide::credentials(&self.url)
    }

    /// Arms a fault. If several match a request, the first armed applies.
    pub fn fault(&self, fault: impl Into<Fault>) {
        lock(&self.shared.faults).push(fault.into());
    }

    /// Answers every request from now on with this handler, and carries none out.
    pub fn script<R: IntoResponse>(&self, answer: impl Fn(&Seen) -> R + Send + 'static) {
        *lock(&self.shared.script) = Some(Box::new(move |seen| answer(seen).into_response()));
    }

    pub fn forget_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Every request that a platform received, in order.
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    pub fn forget_requests(&self) {
        lock(&self.shared.seen).clear();
    }

    /// Adds a bot without users and entities to BotStar's account. Returns its id.
    pub fn add_bot(&self, name: &str) -> String {
        lock(&self.shared.botstar).add_bot(name)
    }

    pub fn remove_bots(&self) {
        lock(&self.shared.botstar).remove_bots();
    }

    /// The chat users of BotStar's bots.
    pub fn bot_users(&self) -> Value {
        lock(&self.shared.botstar).users()
    }

    /// The id of the first entity of BotStar's first bot.
    pub fn entity_id(&self) -> String {
        lock(&self.shared.botstar).entity_id().to_owned()
    }

    /// The items of BotStar's entities in an environment, `draft` or `live`.
    pub fn bot_items(&self, environment: &str) -> Vec<Value> {
        lock(&self.shared.botstar).items(environment)
    }

    /// Adds this many items to that entity.
    pub fn seed_bot_items(&self, count: usize) {
        lock(&self.shared.botstar).seed_items(count);
    }

    /// Makes BotStar give items their id as `_id`.
    pub fn underscore_item_ids(&self, underscores: bool) {
        lock(&self.shared.botstar).underscored_ids = underscores;
    }

    /// Bodies of the messages that BotStar accepted, in order.
    pub fn bot_messages(&self) -> Value {
        lock(&self.shared.botstar).messages()
    }

    /// Adds this many users, each created a second after the one before.
    pub fn seed_users(&self, count: usize) {
        lock(&self.shared.chatbot).seed_users(count);
    }

    /// Makes `POST /users` answer an object in place of the documented array.
    pub fn create_answers_object(&self, answers: bool) {
        lock(&self.shared.chatbot).create_answers_object = answers;
    }

    /// Has a user reach the story's webhook blocks. Reports the deliveries and their answers. The argument is the body
    /// of `POST /sandbox/chatbot/say`.
    pub async fn say(&self, said: Value) -> Value {
        chatbot::say(&self.shared, said).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Every user as `GET /users/:id` answers, with its `segments`.
    pub fn users(&self) -> Value {
        lock(&self.shared.chatbot).every_user()
    }

    /// Every story as `GET /v2/stories/:id` answers.
    pub fn stories(&self) -> Value {
        lock(&self.shared.chatbot).every_story()
    }

    /// Every webhook as `GET /webhooks/:id` answers.
    pub fn webhooks(&self) -> Value {
        lock(&self.shared.chatbot).every_webhook()
    }

    /// The `webchat_id` of every registration at BotDistrikt, in order. A repeated registration appears twice.
    pub fn registrations(&self) -> Vec<String> {
        lock(&self.shared.botdistrikt).registered()
    }

    /// Every message that BotDistrikt accepted, in order: `webchat_id`, `user` and `message`.
    pub fn messages(&self) -> Value {
        lock(&self.shared.botdistrikt).messages()
    }

    /// Sets BotDistrikt's answer to every message from now on.
    pub fn answer_messages_with(&self, body: Value) {
        lock(&self.shared.botdistrikt).answer = Some(body);
    }

    /// Sets BotDistrikt's Event Webhook, as its address is pasted on the page of the Website Chat integration.
    pub fn set_event_webhook(&self, url: &str) {
        lock(&self.shared.botdistrikt).set_webhook(url).unwrap_or_else(|fault| panic!("{fault}"));
    }

    /// Has BotDistrikt call the Event Webhook, and reports the answer. The argument is the body of `POST
    /// /sandbox/botdistrikt/say`.
    pub async fn bot_says(&self, said: Value) -> Value {
        botdistrikt::say(&self.shared, said).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Bodies of the events that Botmother queued, in order.
    pub fn external_events(&self) -> Value {
        lock(&self.shared.botmother).events()
    }

    /// Makes Botmother answer events with `result: false`, and queue none.
    pub fn refuse_events(&self, refuses: bool) {
        lock(&self.shared.botmother).refuse_events = refuses;
    }

    /// Makes Botmother report that its limits are exceeded. It still queues the events.
    pub fn exceed_limits(&self, exceeds: bool) {
        lock(&self.shared.botmother).exceed_limits = exceeds;
    }

    /// Makes Botmother nest the records in `payload` one level deeper.
    pub fn nest_payload(&self, nests: bool) {
        lock(&self.shared.botmother).nest_payload = nests;
    }

    /// Has a user reach an API request component of Botmother, and reports the answer. The argument is the body of
    /// `POST /sandbox/botmother/request`.
    pub async fn request_component(&self, asked: Value) -> Value {
        botmother::request(&self.shared, asked).await.unwrap_or_else(|fault| panic!("{fault}"))
    }
}

/// JSON response.
fn json(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body.to_string())).into_response()
}
