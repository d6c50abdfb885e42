//! API keys: made, listed, deleted. A key is shown once, when it is made.

use crate::{ADMIN, CURSOR, LIMIT, READ};
use http::{Method, StatusCode};
use models::{KeyId, Timestamp};
use runtime::{
    App, Body, Call, Function, Problem, Reply, Route,
    auth::{Scope, fingerprint},
    clock::random,
    input,
    store::keys::Key,
};
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

pub static FUNCTION: Function = Function {
    name: "api-keys",
    routes: &[
        Route {
            method: Method::POST,
            path: "/v1/keys",
            access: ADMIN,
            summary: "Make a key",
            query: &[],
            body: Body::Required(new_schema),
            success: (StatusCode::CREATED, Some(made_schema)),
            handler: |app, call| Box::pin(create(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/keys",
            access: READ,
            summary: "List the keys",
            query: &[LIMIT, CURSOR],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(schema_for!(KeyView)))),
            handler: |app, call| Box::pin(list(app, call)),
        },
        Route {
            method: Method::DELETE,
            path: "/v1/keys/{id}",
            access: ADMIN,
            summary: "Delete a key",
            query: &[],
            body: Body::None,
            success: (StatusCode::NO_CONTENT, None),
            handler: |app, call| Box::pin(delete(app, call)),
        },
    ],
    // A new deployment's first key: who may invoke the function, IAM says.
    direct: Some(|app, call| Box::pin(create(app, call))),
    settings: Vec::new,
};
use std::future::ready;

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

fn new_schema() -> Schema {
    schema_for!(NewKey)
}

fn made_schema() -> Schema {
    schema_for!(KeyView)
}

/// What keys begin with, so that scanners for leaked secrets can tell one.
const PREFIX: &str = "sbk_";

async fn create(app: &App, call: Call) -> Result<Reply, Problem> {
    let new: NewKey = input::body(&call, &new_schema())?;
    let secret = format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&random::<32>()?));
    let key = Key {
        id: KeyId::new(call.now, random()?),
        v: 1,
        version: 1,
        name: new.name,
        scope: new.scope,
        sha256: fingerprint(&secret),
        created_at: call.now,
    };
    app.store.put_key(&key).await?;
    Reply::json(StatusCode::CREATED, &KeyView::new(key, Some(secret)))
}

async fn list(app: &App, call: Call) -> Result<Reply, Problem> {
    let page = app.store.page::<Key>(call.limit()?, call.position("keys")?.as_deref()).await?;
    crate::control_page(&call, "keys", page, |key| ready(Ok(KeyView::new(key, None)))).await
}

async fn delete(app: &App, call: Call) -> Result<Reply, Problem> {
    let id: KeyId = call.id("key")?;
    let key: Key = app.store.find(id.as_str()).await?.ok_or_else(|| Problem::not_found("key"))?;
    app.store.remove_key(&key).await?;
    app.keys.forget(&key.sha256);
    Ok(Reply::no_content())
}
