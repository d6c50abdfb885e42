//! API keys: created, listed, deleted. A key is shown once, in the answer to its creation. A key may have an end, after
//! which it is refused.

use crate::{ADMIN, CURSOR, LIMIT, READ, control, routes};
use app::{App, Function, Route};
use futures::future::try_join_all;
use http::StatusCode;
use models::{Fault, KeyId, Scope, Timestamp, clock::random, fingerprint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::future::ready;
use store::{
    StoreError,
    control::Ids,
    keys::Key,
    routes::{EventRoute, Target},
};
use web::{Code, Problem, Request, RequestExt as _, Response, input, respond};

pub static FUNCTION: Function = Function {
    name: "api-keys",
    routes: &[CREATE, LIST, CURRENT, DELETE],
    // A new deployment's first key: who may invoke the function, IAM says.
    direct: Some(|app, request| Box::pin(create(app, request))),
    settings: Vec::new,
};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NewKey {
    #[schemars(length(min = 1, max = 200))]
    name: String,
    scope: Scope,
    /// End of the key, at most ten years ahead. If absent or null, the key has no end.
    expires_at: Option<Timestamp>,
    /// Types of the events to which the key may subscribe as an MCP client, and which are then sent to URLs of its
    /// choice; `*` matches any characters. Default: none.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 1, max = 100)))]
    subscribe: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct KeyView {
    id: KeyId,
    name: String,
    scope: Scope,
    /// End of the key; null if it has no end.
    expires_at: Option<Timestamp>,
    /// Types of the events to which the key may subscribe as an MCP client.
    subscribe: Vec<String>,
    created_at: Timestamp,
    /// The key itself: shown only when it is created, and null afterwards.
    key: Option<String>,
}

impl KeyView {
    fn new(key: Key, secret: Option<String>) -> Self {
        let Key { id, name, scope, expires_at, subscribe, created_at, .. } = key;
        Self { id, name, scope, expires_at, subscribe, created_at, key: secret }
    }
}

/// Longest time until a key's end: ten years.
const MAX_SECONDS: u64 = 3_653 * 86_400;

/// Prefix of keys, by which scanners recognise a leaked one.
const PREFIX: &str = "sbk_";

const CREATE: Route = Route::post("/v1/keys", ADMIN, "Create a key", |app, request| Box::pin(create(app, request)))
    .takes::<NewKey>()
    .creates::<KeyView>();

async fn create(app: &App, request: Request) -> Result<Response, Problem> {
    let new: NewKey = input::body_with(&request, |body| {
        let faults = end_faults(body, request.now());
        Ok(faults.into_iter().chain(routes::pattern_faults(body, "subscribe")).collect())
    })?;
    let secret = format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&random::<32>()?));
    let key = Key {
        id: KeyId::new(request.now(), random()?),
        v: 1,
        version: 1,
        name: new.name,
        scope: new.scope,
        sha256: fingerprint(&secret),
        subscribe: new.subscribe,
        created_at: request.now(),
        expires_at: None,
        expires: None,
    };
    let key = key.until(new.expires_at);
    app.store.put_key(&key).await?;
    respond::json(StatusCode::CREATED, &KeyView::new(key, Some(secret)))
}

/// Faults of `expires_at` that the schema can't express.
fn end_faults(body: &Value, now: Timestamp) -> Vec<Fault> {
    let fault = match body["expires_at"].as_str().map(Timestamp::parse) {
        None => return Vec::new(),
        Some(None) => "must be an RFC 3339 time",
        Some(Some(end)) if end <= now => "must be in the future",
        Some(Some(end)) if end > now.plus_seconds(MAX_SECONDS) => "must be at most ten years ahead",
        Some(Some(_)) => return Vec::new(),
    };
    vec![Fault::new("/expires_at", fault)]
}

const LIST: Route = Route::get("/v1/keys", READ, "List keys", |app, request| Box::pin(list(app, request)))
    .with_query(&[LIMIT, CURSOR])
    .answers_with(StatusCode::OK, crate::page_of_any::<KeyView>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    control::list(app, &request, "keys", |key| ready(Ok(KeyView::new(key, None)))).await
}

#[derive(Serialize, JsonSchema)]
struct CurrentKey {
    id: KeyId,
    name: String,
    scope: Scope,
    /// End of the key; null if it has no end.
    expires_at: Option<Timestamp>,
    /// Types of the events to which the key may subscribe as an MCP client.
    subscribe: Vec<String>,
    created_at: Timestamp,
}

const CURRENT: Route =
    Route::get("/v1/keys/current", READ, "Get the key of this request", |app, request| Box::pin(current(app, request)))
        .answers::<CurrentKey>();

async fn current(app: &App, request: Request) -> Result<Response, Problem> {
    let deleted = || Problem::unauthorized("no such key");
    let known = request.key().ok_or_else(deleted)?;
    // The request's key may come from the cache, and be deleted meanwhile.
    let key: Key = app.store.find(known.id.as_str()).await?.ok_or_else(deleted)?;
    let Key { id, name, scope, expires_at, subscribe, created_at, .. } = key;
    respond::ok(&CurrentKey { id, name, scope, expires_at, subscribe, created_at })
}

const DELETE: Route =
    Route::delete("/v1/keys/{id}", ADMIN, "Delete a key, unless it is the last of scope `admin`", |app, request| {
        Box::pin(delete(app, request))
    });

async fn delete(app: &App, request: Request) -> Result<Response, Problem> {
    let key: Key = control::find(app, &request).await?;
    match key.scope {
        Scope::Admin => remove_admin_key(app, &key).await?,
        _ => app.store.remove_key(&key).await?,
    }
    app.keys.forget(&key.sha256);
    end_subscriptions(app, &key.id).await?;
    Ok(respond::no_content())
}

/// Removes the subscriptions of a deleted key. One that is left over after a failure here gets no events either, because
/// each attempt checks that the key exists.
async fn end_subscriptions(app: &App, key: &KeyId) -> Result<(), StoreError> {
    let is_of_key = |route: &EventRoute| matches!(&route.target, Target::Mcp(target) if target.key == *key);
    let ended = app.store.subscriptions().await?.into_iter().filter(is_of_key);
    try_join_all(ended.map(|route| async move { app.store.remove_subscription(&route.id).await })).await?;
    Ok(())
}

/// Retry limit for concurrent deletions of admin keys.
const ATTEMPTS: usize = 20;

/// Removes a key of scope `admin`, unless no other one without an end is left: then nobody could create another.
async fn remove_admin_key(app: &App, key: &Key) -> Result<(), Problem> {
    for _ in 0..ATTEMPTS {
        let other = other_admin_key(app, &key.id).await?.ok_or_else(|| {
            let detail = "no other key of scope admin without an end is left to create keys; create another first";
            Problem::new(Code::LastAdminKey, detail)
        })?;
        match app.store.remove_key_beside(key, &other).await {
            // The other key was deleted in the meantime.
            Err(StoreError::Condition(_)) => {}
            removed => return Ok(removed?),
        }
    }
    Err(StoreError::Condition(None).into())
}

async fn other_admin_key(app: &App, id: &KeyId) -> Result<Option<KeyId>, StoreError> {
    let mut after = None;
    loop {
        let page = app.store.page::<Key>(Ids::ALL, 100, after.as_deref()).await?;
        let mut readable = page.items.into_iter().filter_map(Result::ok);
        let other = readable.find(|key| key.scope == Scope::Admin && key.expires_at.is_none() && key.id != *id);
        match (other, page.next) {
            (Some(other), _) => return Ok(Some(other.id)),
            (None, None) => return Ok(None),
            (None, next) => after = next,
        }
    }
}
