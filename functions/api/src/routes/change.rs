//! `PATCH /v1/routes/{id}`.

use super::{
    check_size,
    create::{connection_id, hook_id},
    faults, incident, target,
    view::{RouteView, UrlVisibility, view},
};
use crate::{ADMIN, control, references};
use app::{App, Route};
use flow::own_events::Recovery;
use models::{ConnectionId, HookId};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use store::{
    StoreError,
    references::Reference,
    routes::{EventRoute, Target, WebhookTarget},
};
use web::{Code, Problem, Request, RequestExt as _, Response, input, respond};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RouteChange {
    #[schemars(length(min = 1, max = 200))]
    name: Option<String>,
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 100)))]
    events: Option<Vec<String>>,
    /// Null: events of all hooks.
    #[serde(default, deserialize_with = "given")]
    #[schemars(extend("format" = "hook-id"))]
    hook: Option<Option<String>>,
    /// Null: events of all connections.
    #[serde(default, deserialize_with = "given")]
    #[schemars(extend("format" = "connection-id"))]
    connection: Option<Option<String>>,
    /// Null: every event passes.
    #[serde(default, deserialize_with = "given")]
    filter: Option<Option<String>>,
    /// Replaces the whole target; a webhook keeps its secret. A failing route becomes healthy.
    target: Option<Map<String, Value>>,
    /// True: a failing route becomes healthy, and the time until it is disabled starts again.
    enabled: Option<bool>,
}

impl RouteChange {
    /// The reason why earlier failures no longer count, if that is so.
    fn recovery(&self) -> Option<Recovery> {
        match (&self.target, self.enabled) {
            (Some(_), _) => Some(Recovery::Changed),
            (None, Some(true)) => Some(Recovery::Enabled),
            (None, _) => None,
        }
    }

    fn selects_others(&self, route: &EventRoute) -> bool {
        self.events.as_ref().is_some_and(|events| *events != route.events)
            || self.filter.as_ref().is_some_and(|filter| *filter != route.filter)
            || differs(self.hook.as_ref(), route.hook.as_ref().map(HookId::as_str))
            || differs(self.connection.as_ref(), route.connection.as_ref().map(ConnectionId::as_str))
    }
}

fn differs(new: Option<&Option<String>>, old: Option<&str>) -> bool {
    new.is_some_and(|new| new.as_deref() != old)
}

/// Reads null as a value, distinct from an absent field.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub const ROUTE: Route =
    Route::patch("/v1/routes/{id}", ADMIN, "Change a route, enable or disable it", |app, request| {
        Box::pin(change(app, request))
    })
    .takes::<RouteChange>()
    .answers::<RouteView>();

pub async fn change(app: &App, request: Request) -> Result<Response, Problem> {
    let mut route = control::find::<EventRoute>(app, &request).await?;
    if route.is_subscription() {
        let detail = "the route is an MCP client's subscription, which only the client can change; it can be deleted";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let change: RouteChange = input::body_with(&request, |body| faults::of(app, body))?;
    let recovery = change.recovery();
    let selects_others = change.selects_others(&route);
    let (named_before, was_enabled) = (route.references(), route.enabled);
    if let Some(hook) = change.hook {
        route.hook = hook_id(app, hook.as_deref()).await?;
    }
    if let Some(connection) = change.connection {
        route.connection = connection_id(app, connection.as_deref()).await?;
    }
    if let Some(fields) = change.target {
        let secrets = match route.target {
            Target::Webhook(WebhookTarget { secrets, .. }) => secrets,
            Target::Action(_) | Target::Aws(_) | Target::Mcp(_) => Vec::new(),
        };
        route.target = target::read(app, &route.id, fields, secrets).await?;
    }
    route.name = change.name.unwrap_or(route.name);
    route.events = change.events.unwrap_or(route.events);
    route.filter = change.filter.unwrap_or(route.filter);
    route.enabled = change.enabled.unwrap_or(route.enabled);
    route.updated_at = request.now();
    check_size(&route)?;
    if route.enabled {
        route.disabled_reason = None;
    }
    let mut named = route.references();
    // An unchanged reference may name a hook or connection that an earlier release deleted.
    if was_enabled || !route.enabled {
        named.retain(|reference| !named_before.contains(reference));
    }
    let written = if let Some(recovery) = recovery {
        route.generation = route.version + 1;
        incident::end(app, &mut route, &named, recovery).await
    } else if selects_others && incident::is_by_content(app, &route).await? {
        incident::end(app, &mut route, &named, Recovery::Changed).await
    } else {
        app.store.update_referring(&mut route, &named, request.now()).await
    };
    if let Err(error) = written {
        return Err(not_changed(app, error, &named).await);
    }
    respond::ok(&view(app, route, UrlVisibility::UrlAndSecret).await?)
}

/// The problem for a change that was not written.
async fn not_changed(app: &App, error: StoreError, named: &BTreeSet<Reference>) -> Problem {
    if !matches!(error, StoreError::Condition(_)) {
        return error.into();
    }
    match references::missing(app, named).await {
        Err(problem) => problem,
        Ok(Some(Reference { kind, id })) => {
            Problem::new(Code::Conflict, format!("the route's {kind} {id} was deleted; give another or null"))
        }
        Ok(None) => error.into(),
    }
}
