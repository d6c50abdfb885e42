//! Decrypted credentials of a connection, for calls to its platform.

use crate::App;
use models::ConnectionId;
use serde_json::{Map, Value};
use std::{fmt, sync::Arc};
use store::connections::Connection;
use web::{Code, Problem};

/// A connection with decrypted credentials.
pub struct OpenConnection {
    pub id: ConnectionId,
    pub platform: String,
    pub credentials: Value,
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenConnection").field("platform", &self.platform).finish_non_exhaustive()
    }
}

/// Decrypts a connection's credentials.
pub async fn open(app: &App, connection: &Connection) -> Result<Value, Problem> {
    let Some(sealed) = &connection.sealed else { return Ok(Value::Object(Map::new())) };
    let plain = app.sealer()?.open(connection.id.as_str(), sealed).await?;
    serde_json::from_str(&plain).map_err(Problem::internal)
}

/// Removes a connection from the cache if its credentials were missing or rejected: they may have been replaced by now.
pub fn evict_rejected(app: &App, id: &str, problem: &Problem) {
    if matches!(problem.code, Code::ConnectionUnauthorized | Code::CredentialsMissing)
        && let Ok(id) = id.parse()
    {
        app.connections.forget(&id);
    }
}

/// Finds and decrypts a platform's connection. A warm process caches it for a minute.
pub async fn connect(app: &App, platform: &str, id: &str) -> Result<Arc<OpenConnection>, Problem> {
    let missing = || Problem::not_found("connection");
    let id: ConnectionId = id.parse().map_err(|_| missing())?;
    let now = app.now();
    let opened = match app.connections.get(&id, now) {
        Some(opened) => opened,
        None => {
            let connection: Connection = app.store.find(id.as_str()).await?.ok_or_else(missing)?;
            let credentials = open(app, &connection).await?;
            let opened = Arc::new(OpenConnection { id: connection.id, platform: connection.platform, credentials });
            app.connections.put(id, Arc::clone(&opened), now);
            opened
        }
    };
    check_platform(&opened.platform, platform).map(|()| opened)
}

/// Fails unless a connection belongs to the given platform.
pub fn check_platform(platform: &str, wanted: &str) -> Result<(), Problem> {
    if platform == wanted {
        return Ok(());
    }
    let detail = format!("the connection belongs to {platform}; a connection of {wanted} is required");
    Err(Problem::new(Code::ConnectionMismatch, detail))
}
