//! The bot's environment in webhooks: `live` for real users, `test` for the builder's preview. Only a third party's
//! description mentions it.

use connector::Problem;
use payload::{Field, Reading};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use store::hooks::HookSettings;

pub const ENVIRONMENT: &[Field] = &[Field::optional("environment", &["/environment", "/env"])];

/// Settings of BotStar's hooks.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TriggerSettings {
    /// True to ignore events of the environment `test`. Events without a known environment are kept. Default: false.
    #[schemars(title = "Ignore test events")]
    live_only: Option<bool>,
}

/// True for an event of the environment `test` if the hook is limited to live ones.
pub fn excludes_test(settings: &HookSettings, reading: &Reading, body: &Value) -> Result<bool, Problem> {
    let TriggerSettings { live_only } = settings.own().map_err(Problem::internal)?;
    Ok(live_only == Some(true) && reading.text("environment", body).as_deref() == Some("test"))
}

/// JSON Schema of `environment` with these fields of an event's `data`.
pub fn with(mut fields: Value) -> Value {
    fields["environment"] = json!({ "enum": ["live", "test", null] });
    fields
}
