//! API keys: made, listed, deleted. A key is shown once, when it is made.

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
    /// The key itself: shown when it is made, and null ever after.
    key: Option<String>,
}

impl KeyView {
    fn new(key: Key, secret: Option<String>) -> Self {
        Self { id: key.id, name: key.name, scope: key.scope, created_at: key.created_at, key: secret }
    }
}

/// What keys begin with, so that scanners for leaked secrets can tell one.
const PREFIX: &str = "sbk_";

const CREATE: Route = Route::post("/v1/keys", ADMIN, "Make a key", |app, request| Box::pin(create(app, request)))
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

const LIST: Route = Route::get("/v1/keys", READ, "List the keys", |app, request| Box::pin(list(app, request)))
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

/// Retry limit for deletions of admin keys that meet each other.
const ATTEMPTS: usize = 20;

/// Removes a key of scope `admin`, unless it is the last: nobody could make another.
async fn remove_admin_key(app: &App, key: &Key) -> Result<(), Problem> {
    for _ in 0..ATTEMPTS {
        let other = other_admin_key(app, &key.id).await?.ok_or_else(|| {
            let detail = "no other key of scope admin is listed, and one is needed to make keys; make another first";
            Problem::new(Code::LastAdminKey, detail)
        })?;
        match app.store.remove_key_beside(key, &other).await {
            // The other key was deleted meanwhile.
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
