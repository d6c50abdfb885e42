//! Credentials of a ChatBot connection.

use schemars::{JsonSchema, Schema};
use serde::Deserialize;

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
