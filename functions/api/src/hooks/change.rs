//! `PATCH /v1/hooks/{id}`.

use super::{create::settings_faults, find, view::view};
use runtime::{App, Call, Problem, Reply, input, store::hooks::Settings};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HookChange {
    #[schemars(length(min = 1, max = 200))]
    name: Option<String>,
    enabled: Option<bool>,
    /// Replaces the settings whole.
    settings: Option<Map<String, Value>>,
}

pub async fn change(app: &App, call: Call) -> Result<Reply, Problem> {
    let mut hook = find(app, &call).await?;
    let watch = registry::trigger(&hook.trigger);
    let change: HookChange = input::body_with(&call, &schema_for!(HookChange), |body| settings_faults(body, watch))?;
    hook.name = change.name.unwrap_or(hook.name);
    hook.enabled = change.enabled.unwrap_or(hook.enabled);
    if let Some(settings) = change.settings {
        hook.settings = Settings::read(settings).map_err(Problem::internal)?;
    }
    hook.updated_at = call.now;
    app.store.update(&mut hook).await?;
    app.hooks.forget(&hook.id);
    Reply::ok(&view(app, &call, hook, true).await?)
}
