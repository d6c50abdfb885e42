//! Credentials of a BotStar connection: none to receive webhooks, a token to call the API.

use crate::id::PATTERN;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Credentials {
    /// The API token of the BotStar account's profile page. Receiving webhooks needs none; actions need it.
    #[schemars(length(min = 1, max = 4096), regex(pattern = "^[!-~]*$"))]
    pub api_token: Option<String>,
    /// The bot of actions that give no `bot_id`, from the Bot Builder's URL. Default: the account's only bot.
    #[schemars(length(min = 1, max = 256), regex(pattern = PATTERN))]
    pub bot_id: Option<String>,
}

pub fn schema() -> Schema {
    schemars::schema_for!(Credentials)
}
