//! The receivers of the demo's webhooks: a healthy one, and one that fails now and then. An event's id decides how its
//! deliveries end, so that all endings occur.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use std::{
    collections::HashSet,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, time::sleep};

/// The path of the receiver that fails now and then.
const FLAKY: &str = "/crm";

pub struct Receiver {
    url: String,
}

/// Events whose first attempt was refused, until their second one.
#[derive(Clone, Default)]
struct Refused(Arc<Mutex<HashSet<String>>>);

impl Receiver {
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let service = Router::new().fallback(take).with_state(Refused::default());
        tokio::spawn(async move { axum::serve(listener, service).await });
        Ok(Self { url })
    }

    pub fn healthy(&self) -> String {
        format!("{}/orders", self.url)
    }

    pub fn flaky(&self) -> String {
        format!("{}{FLAKY}", self.url)
    }
}

async fn take(State(refused): State<Refused>, uri: Uri, headers: HeaderMap) -> (StatusCode, &'static str) {
    let event = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let chance = event.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) >> 3;
    sleep(Duration::from_millis(15 + chance % 180)).await;
    if uri.path() != FLAKY {
        return (StatusCode::OK, r#"{"ok":true}"#);
    }
    match chance % 12 {
        0 => (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"contact is locked"}"#),
        1..=3 if refused.is_first(event) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        _ => (StatusCode::ACCEPTED, r#"{"queued":true}"#),
    }
}

impl Refused {
    /// True for every other call about an event.
    fn is_first(&self, event: &str) -> bool {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !refused.remove(event) && refused.insert(event.to_owned())
    }
}
