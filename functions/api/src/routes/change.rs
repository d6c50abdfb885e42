//! `PATCH /v1/routes/{id}`.

use super::{
    create::{connection_id, hook_id},
    faults, find, target,
    view::{Sight, view},
};
use crate::references;
use flow::guard::Guard;
use runtime::{
    App, Call, Code, Problem, Reply, input,
    store::{
        StoreError,
        health::RouteHealth,
        references::Reference,
        routes::{Target, Webhook},
    },
};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RouteChange {
    #[schemars(length(min = 1, max = 200))]
    name: Option<String>,
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 100)))]
    events: Option<Vec<String>>,
    /// Null: the events of every hook.
    #[serde(default, deserialize_with = "given")]
    hook: Option<Option<String>>,
    /// Null: the events of every connection.
    #[serde(default, deserialize_with = "given")]
    connection: Option<Option<String>>,
    /// Null: every event passes.
    #[serde(default, deserialize_with = "given")]
    filter: Option<Option<String>>,
    /// Replaces the target whole; a webhook keeps its secret. A route that was failing is healthy until it fails again.
    target: Option<Map<String, Value>>,
    enabled: Option<bool>,
}

/// Tells null from what is left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub async fn change(app: &App, call: Call) -> Result<Reply, Problem> {
    let mut route = find(app, &call).await?;
    let change: RouteChange =
        input::body_with(&call, &schema_for!(RouteChange), |body| faults::of(body, &Guard::of(&app.config)))?;
    let (named_before, was_enabled) = (route.references(), route.enabled);
    let gets_a_new_chance = change.target.is_some() || change.enabled == Some(true);
    if let Some(hook) = change.hook {
        route.hook = hook_id(app, hook.as_deref()).await?;
    }
    if let Some(connection) = change.connection {
        route.connection = connection_id(app, connection.as_deref()).await?;
    }
    if let Some(fields) = change.target {
        let secrets = match route.target {
            Target::Webhook(Webhook { secrets, .. }) => secrets,
            Target::Action(_) => Vec::new(),
        };
        route.target = target::read(app, &route.id, fields, secrets).await?;
    }
    route.name = change.name.unwrap_or(route.name);
    route.events = change.events.unwrap_or(route.events);
    route.filter = change.filter.unwrap_or(route.filter);
    route.enabled = change.enabled.unwrap_or(route.enabled);
    route.updated_at = call.now;
    let mut named = route.references();
    // A route that stays as it was may name what an earlier release let go.
    if was_enabled || !route.enabled {
        named.retain(|reference| !named_before.contains(reference));
    }
    if let Err(error) = app.store.update_referring(&mut route, &named, call.now).await {
        return Err(not_changed(app, error, &named).await);
    }
    if gets_a_new_chance {
        app.store.remove::<RouteHealth>(route.id.as_str()).await?;
    }
    Reply::ok(&view(app, route, Sight::UrlAndSecret).await?)
}

/// The problem of a change that was not written.
async fn not_changed(app: &App, error: StoreError, named: &BTreeSet<Reference>) -> Problem {
    if !matches!(error, StoreError::Condition(_)) {
        return error.into();
    }
    match references::missing(app, named).await {
        Err(problem) => problem,
        Ok(Some(Reference { kind, id })) => Problem::new(
            Code::Conflict,
            format!("the route names {id}, a {kind} that was deleted; name another or null"),
        ),
        Ok(None) => error.into(),
    }
}
