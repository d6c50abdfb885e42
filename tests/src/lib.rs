//! Test support: the whole bundle in one process, on its own port and database, called over HTTP; and the sandbox,
//! which simulates the platforms; and the demo, which has both.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

pub mod demo;
pub mod lambda;
mod process;
pub mod sandbox;
mod subscriptions;

pub use lambda::Lambda;
pub use process::{Process, binary};
pub use sandbox::Sandbox;
pub use subscriptions::subscription;

use local::{Local, Options};
use models::{
    Timestamp,
    clock::{Clock, SystemClock},
};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::{
    fmt::Display,
    future::Future,
    ops::Deref,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use web::settings::{SettingKind, Settings};

/// Limit for background work, after which a test fails.
const DEADLINE: Duration = Duration::from_secs(60);
/// URL at which nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9";
pub const ADMIN_KEY: &str = "an-admin-key-for-tests-0123456789abcdef";

/// The system's clock, which a test can set forward or stop.
#[derive(Default)]
pub struct TestClock {
    ahead_millis: AtomicU64,
    held: OnceLock<Timestamp>,
}

impl TestClock {
    /// Stops the clock: from now on, only the test moves it.
    pub fn hold(&self) {
        self.held.get_or_init(|| SystemClock.now());
    }

    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("a span that a test can mean");
        self.ahead_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let now = self.held.get().copied().unwrap_or_else(|| SystemClock.now());
        Timestamp::from_millis(now.millis() + self.ahead_millis.load(Ordering::SeqCst))
    }
}

/// A client with the admin key.
pub struct Api {
    pub url: String,
    pub key: String,
    pub http: reqwest::Client,
}

/// A running bundle, and a client of it.
pub struct Bundle {
    pub local: Local,
    pub clock: Arc<TestClock>,
    api: Api,
}

impl Deref for Bundle {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// A hook that a test posts to.
pub struct TestHook {
    pub id: String,
    pub connection: String,
    pub url: String,
}

/// Response to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        // A body stored by an earlier release may nest as deep as the parser's default limit, and an answer nests it
        // deeper.
        let mut reader = serde_json::Deserializer::from_str(&self.text);
        reader.disable_recursion_limit();
        let read = Value::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        read.unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Bundle {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with these settings in addition to the defaults of the tests.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        // No test reaches a real platform; a test that needs one starts a sandbox.
        let urls = registry::settings().into_iter().filter(|setting| setting.kind != SettingKind::PathStep);
        let platforms: Vec<_> = urls.map(|setting| (setting.name, NOWHERE)).collect();
        let own = [("PORT", "0"), ("DATA_DIR", ":memory:"), ("ADMIN_KEY", ADMIN_KEY)];
        let settings: Settings = own.iter().chain(&platforms).chain(settings).copied().collect();
        let clock = Arc::new(TestClock::default());
        let options = Options::read(settings).expect("the settings are right");
        let local = Local::start(options, clock.clone()).await.expect("it starts");
        let api = Api::new(&local.url, ADMIN_KEY);
        Self { local, clock, api }
    }
}

impl Api {
    pub fn new(url: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { url: url.to_owned(), key: key.to_owned(), http }
    }

    /// A request with the admin key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str, status: u16) -> Value {
        expect(self.request(Method::GET, path), status).await
    }

    pub async fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        expect(self.request(Method::POST, path).json(body), status).await
    }

    pub async fn patch(&self, path: &str, body: &Value, status: u16) -> Value {
        expect(self.request(Method::PATCH, path).json(body), status).await
    }

    pub async fn delete(&self, path: &str, status: u16) -> Value {
        expect(self.request(Method::DELETE, path), status).await
    }

    pub async fn connection(&self, platform: &str) -> String {
        let credentials = match platform {
            "chatbot" => json!({ "access_token": Sandbox::TOKEN }),
            "botdistrikt" => json!({ "webchat_app_id": Sandbox::WEBCHAT_APP_ID, "domain": Sandbox::DOMAIN }),
            _ => json!({}),
        };
        let new = json!({ "platform": platform, "name": "Demo", "credentials": credentials });
        let made = self.post("/v1/connections", &new, 201).await;
        string(&made["id"])
    }

    /// A hook of a trigger, on a connection of its own.
    pub async fn hook(&self, trigger: &str) -> TestHook {
        self.hook_with(trigger, json!({})).await
    }

    pub async fn hook_with(&self, trigger: &str, settings: Value) -> TestHook {
        let platform = trigger.split('.').next().unwrap_or_default();
        let connection = self.connection(platform).await;
        self.hook_on(&connection, trigger, settings).await
    }

    pub async fn hook_on(&self, connection: &str, trigger: &str, settings: Value) -> TestHook {
        let new = json!({ "trigger": trigger, "name": "Demo", "connection": connection, "settings": settings });
        let made = self.post("/v1/hooks", &new, 201).await;
        TestHook { id: string(&made["id"]), connection: connection.to_owned(), url: string(&made["url"]) }
    }

    /// Posts to a hook as a platform does: without a key.
    pub async fn send(&self, url: &str, body: impl Into<reqwest::Body>) -> Answer {
        answer(self.http.post(url).header("content-type", "application/json").body(body)).await
    }

    /// Posts a body that becomes an event, and returns the event's id.
    pub async fn accept(&self, hook: &TestHook, body: &Value) -> String {
        let answer = self.send(&hook.url, body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let receipt = answer.json();
        assert_eq!(receipt["status"], "accepted", "{receipt}");
        string(&receipt["event"])
    }

    /// Every item of a list, page by page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        self.each(path, |item| items.push(item.clone())).await;
        items
    }

    /// Calls a function with every item of a list, page by page.
    pub async fn each(&self, path: &str, mut item: impl FnMut(&Value)) {
        let mut cursor = String::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{joint}limit=100{cursor}"), 200).await;
            page["items"].as_array().into_iter().flatten().for_each(&mut item);
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return,
            }
        }
    }

    /// Waits until a list has this many items, and returns them.
    pub async fn until_count(&self, path: &str, count: usize) -> Vec<Value> {
        eventually_ok(|| async {
            let items = self.all(path).await;
            let found = items.len();
            if found == count { Ok(items) } else { Err(format!("{path} has {found} items, {count} were expected")) }
        })
        .await
    }
}

pub fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} must be a string")).to_owned()
}

/// Sends a request and reads the answer.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.expect("a body") }
}

/// Sends a request that must be answered with this status. Returns the body, or null if there is none.
pub async fn expect(request: RequestBuilder, status: u16) -> Value {
    let answer = answer(request).await;
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    if answer.text.is_empty() { Value::Null } else { answer.json() }
}

/// Polls until there is a result, or fails at the deadline.
pub async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    eventually_ok(|| {
        let asked = ask();
        async { asked.await.ok_or("it did not happen") }
    })
    .await
}

/// Polls until there is a result, or fails at the deadline with the last error.
pub async fn eventually_ok<T, E: Display, F: Future<Output = Result<T, E>>>(mut ask: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(error) => assert!(start.elapsed() < DEADLINE, "{error}, after {DEADLINE:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
