//! What one call at a time may do, whichever process it runs in.

use crate::{
    Acting, App, Code, Problem,
    action::LEASE_SECONDS,
    auth::fingerprint,
    clock::random,
    store::{
        StoreError,
        idempotency::{Begun, Keyed},
    },
};
use http::{HeaderValue, header};
use std::time::{Duration, Instant};

/// A call's turn. If the process dies in it, the next call's comes a minute later.
#[must_use]
pub struct Turn(Keyed);

const WAIT: Duration = Duration::from_millis(200);
const MOST_WAITED: Duration = Duration::from_secs(10);

impl Acting<'_> {
    /// Waits until no other call is at this.
    pub async fn turn(&self, at: &str) -> Result<Turn, Problem> {
        let (store, until) = (&self.app.store, self.deadline.min(Instant::now() + MOST_WAITED));
        loop {
            let now = self.app.now();
            let nonce = data_encoding::BASE64URL_NOPAD.encode(&random::<12>()?);
            let key = fingerprint(&format!("turn {at}"));
            let call = Keyed::new(&key, String::new(), nonce, now, now.plus_seconds(LEASE_SECONDS));
            match store.begin(call.clone(), now).await? {
                Begun::First(call) => return Ok(Turn(call)),
                Begun::Held(held) if held.lease <= now => match store.take_over(&held, &call).await {
                    Ok(()) => return Ok(Turn(call)),
                    Err(StoreError::Condition(_)) => {}
                    Err(error) => return Err(error.into()),
                },
                Begun::Held(_) | Begun::Ended(..) => {}
            }
            if Instant::now() >= until {
                return Err(Problem::new(Code::Conflict, "another call is at the same; ask again")
                    .with_header(header::RETRY_AFTER, HeaderValue::from_static("1")));
            }
            tokio::time::sleep(WAIT).await;
        }
    }
}

impl Turn {
    pub async fn end(self, app: &App) {
        if let Err(error) = app.store.release(&self.0).await {
            tracing::error!(cause = Problem::internal(error).causes(), "a turn was not given back");
        }
    }
}
