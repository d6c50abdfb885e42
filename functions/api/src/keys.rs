//! API keys: created, listed, deleted. A key is shown once, in the answer to its creation.

use crate::{ADMIN, CURSOR, LIMIT, READ, control};
use app::{App, Function, Route};
use http::StatusCode;
use models::{KeyId, Scope, Timestamp, clock::random, fingerprint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::future::ready;
use store::{StoreError, keys::Key};
use web::{Code, Problem, Request, RequestExt as _, Response, input, respond};

pub static FUNCTION: Function = Function {
    name: "api-keys",
    routes: &[CREATE, LIST, DELETE],
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
}

#[derive(Serialize, JsonSchema)]
struct KeyView {
    id: KeyId,
    name: String,
    scope: Scope,
    created_at: Timestamp,
    /// The key itself: shown only when it is created, and null afterwards.
    key: Option<String>,
}

impl KeyView {
    fn new(key: Key, secret: Option<String>) -> Self {
        Self { id: key.id, name: key.name, scope: key.scope, created_at: key.created_at, key: secret }
    }
}

/// Prefix of keys, by which scanners recognise a leaked one.
const PREFIX: &str = "sbk_";

const CREATE: Route = Route::post("/v1/keys", ADMIN, "Create a key", |app, request| Box::pin(create(app, request)))
    .takes::<NewKey>()
    .creates::<KeyView>();

async fn create(app: &App, request: Request) -> Result<Response, Problem> {
    let new: NewKey = input::body(&request)?;
    let secret = format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&random::<32>()?));
    let key = Key {
        id: KeyId::new(request.now(), random()?),
        v: 1,
        version: 1,
        name: new.name,
        scope: new.scope,
        sha256: fingerprint(&secret),
        created_at: request.now(),
    };
    app.store.put_key(&key).await?;
    respond::json(StatusCode::CREATED, &KeyView::new(key, Some(secret)))
}

const LIST: Route = Route::get("/v1/keys", READ, "List keys", |app, request| Box::pin(list(app, request)))
    .with_query(&[LIMIT, CURSOR])
    .answers_with(StatusCode::OK, crate::page_of_any::<KeyView>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    control::list(app, &request, "keys", |key| ready(Ok(KeyView::new(key, None)))).await
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
    Ok(respond::no_content())
}

/// Retry limit for concurrent deletions of admin keys.
const ATTEMPTS: usize = 20;

/// Removes a key of scope `admin`, unless it is the last one: without it, nobody could create another.
async fn remove_admin_key(app: &App, key: &Key) -> Result<(), Problem> {
    for _ in 0..ATTEMPTS {
        let other = other_admin_key(app, &key.id).await?.ok_or_else(|| {
            let detail = "this is the last key of scope admin, which is needed to create keys; create another first";
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
        let page = app.store.page::<Key>(100, after.as_deref()).await?;
        let mut readable = page.items.into_iter().filter_map(Result::ok);
        let other = readable.find(|key| key.scope == Scope::Admin && key.id != *id);
        match (other, page.next) {
            (Some(other), _) => return Ok(Some(other.id)),
            (None, None) => return Ok(None),
            (None, next) => after = next,
        }
    }
}
