//! `POST /v1/routes`.

use super::{
    check_size, faults, target,
    view::{RouteView, UrlVisibility, view},
};
use crate::{ADMIN, connections, references};
use app::{App, Route};
use http::StatusCode;
use models::{ConnectionId, HookId, RouteId, clock::random};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use store::{hooks::Hook, routes::EventRoute};
use web::{Problem, Request, RequestExt as _, Response, input, respond};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NewRoute {
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// Event types; `*` matches any characters, including dots: `botstar.*`.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 100)))]
    events: Vec<String>,
    /// Only events of this hook.
    #[schemars(extend("format" = "hook-id"))]
    hook: Option<String>,
    /// Only events of this connection.
    #[schemars(extend("format" = "connection-id"))]
    connection: Option<String>,
    /// A CEL expression over `id`, `type`, `source`, `subject`, `time` and `data`. An event does not pass if the
    /// expression fails on it, for example because of a missing field.
    filter: Option<String>,
    /// `{"type": "webhook", "url", "headers"?, "body"?}`, `{"type": "action", "action", "connection", "input"}` or
    /// `{"type": "aws", "arn", "input"?, "group"?}`. `body` and `input` are CEL expressions by field; a webhook without
    /// `body` and an AWS target without `input` get the event as it is.
    target: Map<String, Value>,
    /// Default: true.
    enabled: Option<bool>,
}

pub const ROUTE: Route =
    Route::post("/v1/routes", ADMIN, "Create a route", |app, request| Box::pin(create(app, request)))
        .takes::<NewRoute>()
        .creates::<RouteView>();

pub async fn create(app: &App, request: Request) -> Result<Response, Problem> {
    let new: NewRoute = input::body_with(&request, |body| faults::of(app, body))?;
    let id = RouteId::new(request.now(), random()?);
    let route = EventRoute {
        hook: hook_id(app, new.hook.as_deref()).await?,
        connection: connection_id(app, new.connection.as_deref()).await?,
        target: target::read(app, &id, new.target, Vec::new()).await?,
        id,
        v: 1,
        version: 1,
        name: new.name,
        events: new.events,
        filter: new.filter,
        enabled: new.enabled.unwrap_or(true),
        disabled_reason: None,
        generation: 0,
        created_at: request.now(),
        updated_at: request.now(),
        expires_at: None,
        expires: None,
    };
    check_size(&route)?;
    let named = route.references();
    if let Err(error) = app.store.create_referring(&route, &named, request.now()).await {
        return Err(references::not_created(app, error, &named).await);
    }
    respond::json(StatusCode::CREATED, &view(app, route, UrlVisibility::UrlAndSecret).await?)
}

pub async fn hook_id(app: &App, id: Option<&str>) -> Result<Option<HookId>, Problem> {
    let Some(id) = id else { return Ok(None) };
    let missing = || Problem::not_found("hook");
    let id: HookId = id.parse().map_err(|_| missing())?;
    let hook: Hook = app.store.find(id.as_str()).await?.ok_or_else(missing)?;
    Ok(Some(hook.id))
}

pub async fn connection_id(app: &App, id: Option<&str>) -> Result<Option<ConnectionId>, Problem> {
    Ok(match id {
        Some(id) => Some(connections::by_id(app, id).await?.id),
        None => None,
    })
}
