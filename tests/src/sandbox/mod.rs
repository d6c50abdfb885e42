//! A server that plays the platforms, so that everything can be tried without an account, each under a path of its own.
//! It is built from what the vendors publish. What no vendor's page backs is called synthetic where it is made.

mod chatbot;
mod control;
mod fault;
mod server;

pub use fault::{Fault, FaultKind};

use axum::{
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Response},
};
use chatbot::World;
use reqwest::redirect::Policy;
use serde_json::Value;
use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};

/// How long the platforms wait for an answer. ChatBot's own sample of an error says `timeout of 10000ms exceeded`.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running sandbox. It stops when its last clone is dropped.
#[derive(Clone)]
pub struct Sandbox {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    shared: Arc<Shared>,
    _open: watch::Sender<()>,
}

/// A request as a platform received it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    /// Without the platform's own prefix.
    pub path: String,
    /// As it was sent; empty where there is none.
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn authorization(&self) -> Option<&str> {
        self.headers.get(header::AUTHORIZATION)?.to_str().ok()
    }
}

/// Answers in a platform's place.
type Script = Box<dyn Fn(&Seen) -> Response + Send>;

/// What the requests share.
struct Shared {
    http: reqwest::Client,
    /// Its sender is gone when the sandbox is.
    open: watch::Receiver<()>,
    faults: Mutex<Vec<Fault>>,
    script: Mutex<Option<Script>>,
    seen: Mutex<Vec<Seen>>,
    chatbot: Mutex<World>,
}

impl Shared {
    async fn closed(&self) {
        // It never changes, so this ends with the sender alone.
        let _ = self.open.clone().changed().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sandbox {
    /// The only access token that ChatBot takes.
    pub const TOKEN: &str = chatbot::TOKEN;

    /// Serves on loopback. Port 0 is any free one.
    pub async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE);
        let (sender, open) = watch::channel(());
        let shared = Arc::new(Shared {
            http: http.build().map_err(io::Error::other)?,
            open,
            faults: Mutex::default(),
            script: Mutex::default(),
            seen: Mutex::default(),
            chatbot: Mutex::new(World::seeded()),
        });
        tokio::spawn(server::serve(listener, shared.clone()));
        Ok(Self { url, shared, _open: sender })
    }

    pub fn chatbot_url(&self) -> String {
        format!("{}{}", self.url, chatbot::PREFIX)
    }

    /// Arms a fault. Of those that fit a request, the one armed first is taken.
    pub fn fault(&self, fault: impl Into<Fault>) {
        lock(&self.shared.faults).push(fault.into());
    }

    /// From now on every request is answered so, and not carried out.
    pub fn script<R: IntoResponse>(&self, answer: impl Fn(&Seen) -> R + Send + 'static) {
        *lock(&self.shared.script) = Some(Box::new(move |seen| answer(seen).into_response()));
    }

    pub fn forget_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Every request that ChatBot received, in order.
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    pub fn forget_requests(&self) {
        lock(&self.shared.seen).clear();
    }

    /// Adds so many users, each created a second after the one before.
    pub fn seed_users(&self, count: usize) {
        lock(&self.shared.chatbot).seed_users(count);
    }

    /// Whether `POST /users` answers an object instead of the documented array.
    pub fn create_answers_object(&self, answers: bool) {
        lock(&self.shared.chatbot).create_answers_object = answers;
    }

    /// Has a user reach the story's webhook blocks; what was delivered, and how it was answered. The argument is the
    /// body of `POST /sandbox/chatbot/say`.
    pub async fn say(&self, said: Value) -> Value {
        chatbot::say(&self.shared, said).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Every user as `GET /users/:id` answers, and with its `segments`.
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
}
