//! A target of a route: a server in this process that keeps the ids of the events it takes.

use crate::BoxError;
use axum::{
    Router,
    http::{HeaderMap, StatusCode},
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, time};

/// Time without an arrival after which the rest counts as lost.
const STALLED: Duration = Duration::from_secs(30);

/// The status of an answer and the time it takes, by the number of earlier calls.
pub type Answers = fn(usize) -> (StatusCode, Duration);

pub const TAKES_ALL: Answers = |_| (StatusCode::OK, Duration::ZERO);
/// Waits between attempts for a target that fails every other time: an event may meet several failures in a row.
pub const RETRY_SECONDS: [&str; 50] = ["1"; 50];
pub const FAILS_EVERY_OTHER: Answers = |calls| {
    let status = if calls.is_multiple_of(2) { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Duration::ZERO)
};

pub struct Receiver {
    pub url: String,
    arrivals: Arc<Mutex<Arrivals>>,
}

struct Arrivals {
    calls: usize,
    /// The ids of calls that were answered with success.
    ids: HashSet<String>,
    /// Time of the last new id.
    last: Instant,
}

impl Receiver {
    pub async fn start(answers: Answers) -> Result<Self, BoxError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let arrivals = Arc::new(Mutex::new(Arrivals { calls: 0, ids: HashSet::new(), last: Instant::now() }));
        let kept = Arc::clone(&arrivals);
        let router = Router::new().fallback(async move |headers: HeaderMap| {
            let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
            let (status, after) = locked(&kept).arrive(id, answers);
            time::sleep(after).await;
            status
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, arrivals })
    }

    /// Number of events that it has taken.
    pub fn count(&self) -> usize {
        locked(&self.arrivals).ids.len()
    }

    /// The ids of the events that it has taken so far.
    pub fn ids(&self) -> HashSet<String> {
        locked(&self.arrivals).ids.clone()
    }

    /// Waits until so many events have arrived, and returns the time of the last.
    pub async fn received_all(&self, events: usize) -> Result<Instant, BoxError> {
        loop {
            let (count, last) = {
                let arrivals = locked(&self.arrivals);
                (arrivals.ids.len(), arrivals.last)
            };
            if count >= events {
                return Ok(last);
            }
            if last.elapsed() > STALLED {
                return Err(format!("{count} of {events} events were delivered, and no more came").into());
            }
            time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Arrivals {
    fn arrive(&mut self, id: &str, answers: Answers) -> (StatusCode, Duration) {
        let (status, after) = answers(self.calls);
        self.calls += 1;
        if status.is_success() && self.ids.insert(id.to_owned()) {
            self.last = Instant::now();
        }
        (status, after)
    }
}

fn locked(arrivals: &Mutex<Arrivals>) -> MutexGuard<'_, Arrivals> {
    arrivals.lock().unwrap_or_else(PoisonError::into_inner)
}
