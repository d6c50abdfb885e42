//! Credentials of a BotStar connection: none to receive webhooks, a token to call the API.

use crate::client;
use connector::{App, Problem, platform::ConnectionTest};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Credentials {
    /// The API token of the BotStar account's profile page. Receiving webhooks needs none.
    #[schemars(length(min = 1, max = 4096), regex(pattern = "^[!-~]*$"))]
    pub api_token: Option<String>,
}

pub fn schema() -> Schema {
    schemars::schema_for!(Credentials)
}

pub async fn test(app: &App, credentials: Value) -> Result<ConnectionTest, Problem> {
    let credentials: Credentials = serde_json::from_value(credentials).map_err(Problem::internal)?;
    let Some(token) = credentials.api_token else {
        return Ok(ConnectionTest { ok: None, detail: "no token to test; receiving webhooks needs none".to_owned() });
    };
    let bots = client::list_bots(app, &token).await?;
    Ok(ConnectionTest { ok: Some(true), detail: format!("the token reaches {} bots", bots.len()) })
}
