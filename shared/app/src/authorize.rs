//! Authorisation before a handler runs: API keys for `/v1`, and tokens for hooks.

use crate::App;
use aws::metrics::Metric;
use http::{Extensions, HeaderMap, StatusCode, header};
use models::{HookId, KnownKey, Scope, Timestamp, fingerprint};
use std::{sync::Arc, time::Duration};
use store::hooks::Hook;
use web::{Access, Code, Problem, Service, request::Params};

impl Service for App {
    fn now(&self) -> Timestamp {
        self.now()
    }

    async fn authorize(&self, access: Access, params: &Params, headers: &HeaderMap) -> Result<Extensions, Problem> {
        let mut found = Extensions::new();
        match access {
            Access::Public => {}
            Access::Key(scope) => {
                found.insert(authorize(self, headers, scope).await?);
            }
            Access::Hook => {
                found.insert(open_hook(self, params.get("token").map_or("", String::as_str)).await?);
            }
        }
        Ok(found)
    }

    fn count_webhook(&self, status: StatusCode, elapsed: Duration) {
        if status.is_client_error() {
            self.metrics.count(Metric::Rejected);
        }
        self.metrics.time(Metric::Latency, u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    }
}

/// Checks the request's key against the scope that the route requires.
async fn authorize(app: &App, headers: &HeaderMap, needed: Scope) -> Result<KnownKey, Problem> {
    let now = app.now();
    let secret = bearer(headers).ok_or_else(|| Problem::unauthorized("send a key as Authorization: Bearer <key>"))?;
    let fingerprint = fingerprint(secret);
    let known = match app.keys.get(&fingerprint, now) {
        Some(known) => known,
        None => {
            let found = app.store.find_key(&fingerprint).await?;
            let known = found.ok_or_else(|| Problem::unauthorized("no such key"))?;
            app.keys.put(fingerprint, known.clone(), now);
            known
        }
    };
    if known.has_expired(now) {
        return Err(Problem::unauthorized("the key has expired"));
    }
    check_scope(&known, needed)?;
    Ok(known)
}

/// Rejects a key whose scope does not include the needed one.
pub fn check_scope(known: &KnownKey, needed: Scope) -> Result<(), Problem> {
    if known.scope >= needed {
        return Ok(());
    }
    let detail = format!("the key's scope is {:?}; this requires {needed:?}", known.scope).to_lowercase();
    Err(Problem::new(Code::Forbidden, detail))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, secret) = values.next()?.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim();
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then_some(secret)
}

/// The hook of a token. The answer to a wrong token doesn't reveal if the hook exists.
async fn open_hook(app: &App, token: &str) -> Result<Arc<Hook>, Problem> {
    let unknown = || Problem::not_found("hook");
    let now = app.now();
    let id = HookId::of_token(token).ok_or_else(unknown)?;
    let hook = match app.hooks.get(&id, now) {
        Some(hook) => hook,
        None => {
            let hook = Arc::new(app.store.find::<Hook>(id.as_str()).await?.ok_or_else(unknown)?);
            app.hooks.put(id, Arc::clone(&hook), now);
            hook
        }
    };
    if hook.takes(token, now) { Ok(hook) } else { Err(unknown()) }
}
