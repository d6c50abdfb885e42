//! `PATCH /v1/hooks/{id}`.

use super::{
    create::settings_faults,
    view::{HookView, view},
};
use crate::{ADMIN, control};
use app::{App, Route};
use connector::settings;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use store::hooks::Hook;
use web::{Problem, Request, RequestExt as _, Response, input, respond};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HookChange {
    #[schemars(length(min = 1, max = 200))]
    name: Option<String>,
    enabled: Option<bool>,
    /// Replaces all settings.
    settings: Option<Map<String, Value>>,
}

pub const ROUTE: Route = Route::patch(
    "/v1/hooks/{id}",
    ADMIN,
    "Rename a hook, enable or disable it, change its settings",
    |app, request| Box::pin(change(app, request)),
)
.takes::<HookChange>()
.answers::<HookView>();

pub async fn change(app: &App, request: Request) -> Result<Response, Problem> {
    let mut hook = control::find::<Hook>(app, &request).await?;
    let watch = registry::trigger(&hook.trigger);
    let change: HookChange = input::body_with(&request, |body| settings_faults(body, watch))?;
    hook.name = change.name.unwrap_or(hook.name);
    hook.enabled = change.enabled.unwrap_or(hook.enabled);
    if let Some(settings) = change.settings {
        hook.settings = settings::read(settings).map_err(Problem::internal)?;
    }
    hook.updated_at = request.now();
    app.store.update(&mut hook).await?;
    app.hooks.forget(&hook.id);
    respond::ok(&view(app, &request, hook, true).await?)
}
