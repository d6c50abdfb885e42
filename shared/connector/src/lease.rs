//! A lease: one call creates a record while concurrent calls, in any process, wait for the result.

use crate::{ActionContext, action::LEASE_SECONDS};
use app::App;
use models::{clock::random, fingerprint};
use std::time::{Duration, Instant};
use store::{
    StoreError,
    idempotency::{IdempotencyRecord, KeyState},
};
use web::{Code, Problem, Retry};

/// A held lease. If the process dies, the lease ends a minute later.
struct Lease(IdempotencyRecord);

const POLL_INTERVAL: Duration = Duration::from_millis(200);
const MAX_WAIT: Duration = Duration::from_secs(10);

impl ActionContext<'_> {
    /// Finds a record, or creates it under a lease: concurrent callers wait for the one that creates it.
    pub async fn find_or_create<T, Finding, Making>(
        &self,
        at: &str,
        find: impl Fn() -> Finding,
        make: impl FnOnce() -> Making,
    ) -> Result<T, Problem>
    where
        Finding: Future<Output = Result<Option<T>, Problem>>,
        Making: Future<Output = Result<T, Problem>>,
    {
        let until = self.deadline.min(Instant::now() + MAX_WAIT);
        loop {
            if let Some(found) = find().await? {
                return Ok(found);
            }
            if let Some(lease) = self.acquire(at).await? {
                let outcome = match find().await {
                    Ok(Some(found)) => Ok(found),
                    Ok(None) => make().await,
                    Err(problem) => Err(problem),
                };
                lease.release(self.app).await;
                return outcome;
            }
            if Instant::now() >= until {
                let detail = "another call is registering this user; retry after 1 s";
                return Err(Problem::new(Code::Conflict, detail).retried(Retry::After(1)));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The lease, if no other call holds it.
    async fn acquire(&self, at: &str) -> Result<Option<Lease>, Problem> {
        let (store, now) = (&self.app.store, self.app.now());
        let nonce = data_encoding::BASE64URL_NOPAD.encode(&random::<12>()?);
        let key = fingerprint(&format!("turn {at}"));
        let request = IdempotencyRecord::new(&key, String::new(), nonce, now, now.plus_seconds(LEASE_SECONDS));
        match store.begin(request.clone(), now).await? {
            KeyState::First(request) => Ok(Some(Lease(request))),
            KeyState::Held(held) if held.lease <= now => match store.take_over(&held, &request).await {
                Ok(()) => Ok(Some(Lease(request))),
                Err(StoreError::Condition(_)) => Ok(None),
                Err(error) => Err(error.into()),
            },
            KeyState::Held(_) | KeyState::Ended(..) => Ok(None),
        }
    }
}

impl Lease {
    async fn release(self, app: &App) {
        if let Err(error) = app.store.release(&self.0).await {
            tracing::error!(cause = Problem::internal(error).causes(), "a lease was not released");
        }
    }
}
