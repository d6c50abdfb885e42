//! The test of a ChatBot connection: reads one of the account's users.

use crate::client::Client;
use connector::{App, Problem, client::PATIENCE, platform::Tested};
use serde_json::Value;
use std::time::Instant;

pub async fn test_connection(app: &App, credentials: Value) -> Result<Tested, Problem> {
    let client = Client::new(app, &credentials, Instant::now() + PATIENCE)?;
    client.users(&[("limit", "1")]).await?;
    Ok(Tested { ok: Some(true), detail: "the token can read the account's users".to_owned() })
}
