//! `PATCH /v1/routes/{id}`.

use super::{
    check_size,
    create::{connection_id, hook_id},
    faults, find, target,
    view::{Sight, view},
};
use flow::guard::Guard;
use runtime::{
    App, Call, Problem, Reply, input,
    store::{
        health::RouteHealth,
        routes::{Target, Webhook},
    },
};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RouteChange {
    #[schemars(length(min = 1, max = 200))]
    name: Option<String>,
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 100)))]
    events: Option<Vec<String>>,
    /// Null: the events of every hook.
    #[serde(default, deserialize_with = "given")]
    #[schemars(extend("format" = "hook-id"))]
    hook: Option<Option<String>>,
    /// Null: the events of every connection.
    #[serde(default, deserialize_with = "given")]
    #[schemars(extend("format" = "connection-id"))]
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
    check_size(&route)?;
    app.store.update(&mut route).await?;
    if gets_a_new_chance {
        app.store.remove::<RouteHealth>(route.id.as_str()).await?;
    }
    Reply::ok(&view(app, route, Sight::UrlAndSecret).await?)
}
