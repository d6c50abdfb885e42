//! The test of a ChatBot connection: reads one of the account's users.

use crate::client::Client;
use connector::{App, Problem, client::TIMEOUT, platform::ConnectionTest};
use serde_json::Value;
use std::time::Instant;

pub async fn test_connection(app: &App, credentials: Value) -> Result<ConnectionTest, Problem> {
    let client = Client::new(app, &credentials, Instant::now() + TIMEOUT)?;
    client.users(&[("limit", "1")]).await?;
    Ok(ConnectionTest { ok: Some(true), detail: "the token can read the account's users".to_owned() })
}
