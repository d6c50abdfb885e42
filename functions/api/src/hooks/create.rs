//! `POST /v1/hooks`: makes a hook and its secret URL.

use super::view::view;
use http::StatusCode;
use models::{ConnectionId, HookId, Timestamp, ids::SECRET_BYTES};
use runtime::{
    App, Call, Code, Fault, Problem, Reply,
    auth::fingerprint,
    clock::random,
    input,
    store::{
        connections::Connection,
        hooks::{Hook, Settings, Token},
    },
};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NewHook {
    /// A trigger of the catalogue: `botstar.watch-tag`, say.
    #[schemars(extend("enum" = registry::modules().map(|(_, module)| module.trigger.name).collect::<Vec<_>>()))]
    trigger: String,
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// A connection of the trigger's platform.
    connection: String,
    #[serde(default)]
    settings: Settings,
}

pub async fn create(app: &App, call: Call) -> Result<Reply, Problem> {
    let new: NewHook = input::body(&call, &schema_for!(NewHook))?;
    let Some((platform, module)) = registry::trigger(&new.trigger) else {
        return Err(Problem::invalid_body(vec![Fault::new("/trigger", "is no trigger of ours")]));
    };
    let connection = find_connection(app, &new.connection).await?;
    if connection.platform != platform.name {
        let detail = format!("the connection is of {}, the trigger of {}", connection.platform, platform.name);
        return Err(Problem::new(Code::ConnectionMismatch, detail));
    }
    let id = HookId::new(call.now, random()?);
    let hook = Hook {
        tokens: vec![new_token(app, &id).await?],
        id,
        v: 1,
        version: 1,
        trigger: module.trigger.name.to_owned(),
        platform: platform.name.to_owned(),
        connection: connection.id,
        name: new.name,
        enabled: true,
        settings: new.settings,
        created_at: call.now,
        updated_at: call.now,
    };
    app.store.create(&hook).await?;
    Reply::json(StatusCode::CREATED, &view(app, &call, hook, true).await?)
}

async fn find_connection(app: &App, id: &str) -> Result<Connection, Problem> {
    let missing = || Problem::not_found("connection");
    let id: ConnectionId = id.parse().map_err(|_| missing())?;
    app.store.find(id.as_str()).await?.ok_or_else(missing)
}

/// A new secret for a hook.
pub async fn new_token(app: &App, hook: &HookId) -> Result<Token, Problem> {
    let token = hook.token(&random::<SECRET_BYTES>()?);
    let sealed = app.sealer()?.seal(hook.as_str(), &token).await?;
    Ok(Token { sha256: fingerprint(&token), sealed, expires_at: None::<Timestamp> })
}
