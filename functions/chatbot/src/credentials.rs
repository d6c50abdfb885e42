//! The credentials of a ChatBot connection.

use crate::client::Client;
use runtime::{App, Problem, client::PATIENCE, platform::Tested};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::Value;
use std::time::Instant;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Credentials {
    /// The developer access token, from ChatBot's Settings > API keys.
    #[schemars(length(min = 8, max = 4096), regex(pattern = "^[!-~]*$"))]
    pub access_token: String,
}

pub fn schema() -> Schema {
    schemars::schema_for!(Credentials)
}

pub async fn test(app: &App, credentials: Value) -> Result<Tested, Problem> {
    let client = Client::new(app, &credentials, Instant::now() + PATIENCE)?;
    client.users(&[("limit", "1")]).await?;
    Ok(Tested { ok: Some(true), detail: "the token reads the account's users".to_owned() })
}
