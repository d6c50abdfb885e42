//! `PATCH` and `DELETE /v1/hooks/{id}`.

use super::{find, view::view};
use runtime::{
    App, Call, Problem, Reply, input,
    store::hooks::{Hook, Settings},
};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HookChange {
    #[schemars(length(min = 1, max = 200))]
    name: Option<String>,
    enabled: Option<bool>,
    /// Replaces the settings whole.
    settings: Option<Settings>,
}

pub async fn change(app: &App, call: Call) -> Result<Reply, Problem> {
    let mut hook = find(app, &call).await?;
    let change: HookChange = input::body(&call, &schema_for!(HookChange))?;
    hook.name = change.name.unwrap_or(hook.name);
    hook.enabled = change.enabled.unwrap_or(hook.enabled);
    hook.settings = change.settings.unwrap_or(hook.settings);
    hook.updated_at = call.now;
    app.store.update(&mut hook).await?;
    app.hooks.forget(&hook.id);
    Reply::ok(&view(app, &call, hook, true).await?)
}

pub async fn delete(app: &App, call: Call) -> Result<Reply, Problem> {
    let hook = find(app, &call).await?;
    app.store.remove::<Hook>(hook.id.as_str()).await?;
    app.hooks.forget(&hook.id);
    Ok(Reply::no_content())
}
