//! `PATCH` and `DELETE /v1/hooks/{id}`.

use super::{create::settings_faults, find, registration, view::view};
use runtime::{
    App, Call, Problem, Reply, input,
    store::{
        StoreError,
        hooks::{Hook, Settings},
    },
};
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

pub async fn delete(app: &App, call: Call) -> Result<Reply, Problem> {
    let mut hook = find(app, &call).await?;
    let force = match call.query("force").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::invalid_query("force", "is neither true nor false")),
    };
    let registrar = registry::trigger(&hook.trigger).and_then(|watch| watch.registrar()).filter(|_| !force);
    let Some(registrar) = registrar else {
        app.store.remove::<Hook>(hook.id.as_str()).await?;
        app.hooks.forget(&hook.id);
        return Ok(Reply::no_content());
    };
    loop {
        registration::remove(app, registrar, &hook).await.map_err(|problem| {
            let advice = "the hook stays; with ?force=true it goes, and its webhook at the platform is left to you";
            Problem { detail: format!("{}; {advice}", problem.detail), ..problem }
        })?;
        match app.store.remove_unchanged(&mut hook).await {
            // It may have been registered meanwhile.
            Err(StoreError::Condition(_)) => hook = find(app, &call).await?,
            removed => {
                app.hooks.forget(&hook.id);
                return Ok(removed.map(|()| Reply::no_content())?);
            }
        }
    }
}
