//! Routes: rules that send matching events to a target.

mod change;
mod create;
mod faults;
mod incident;
mod rotate;
mod target;
mod test;
mod view;

use crate::{ADMIN, CURSOR, LIMIT, OPERATE, READ, rotation::Rotation};
use app::{App, Function, Route};
use http::{Method, StatusCode};
use models::{Fault, RouteId, Scope};
use schemars::{Schema, schema_for};
use store::routes::EventRoute;
use view::{RouteView, Sight};
use web::{Body, Problem, Request, RequestExt as _, Response, respond};

pub static FUNCTION: Function = Function {
    name: "api-routes",
    routes: &[
        Route {
            method: Method::POST,
            path: "/v1/routes",
            access: ADMIN,
            summary: "Create a route",
            query: &[],
            body: Body::Required(|| schema_for!(create::NewRoute)),
            success: (StatusCode::CREATED, Some(view_schema)),
            handler: |app, request| Box::pin(create::create(app, request)),
        },
        Route {
            method: Method::GET,
            path: "/v1/routes",
            access: READ,
            summary: "List routes",
            query: &[LIMIT, CURSOR],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(view_schema()))),
            handler: |app, request| Box::pin(list(app, request)),
        },
        Route {
            method: Method::POST,
            path: "/v1/routes/test",
            access: OPERATE,
            summary: "Test a draft of a route with an event; nothing is sent",
            query: &[],
            body: Body::Required(|| schema_for!(test::Draft)),
            success: (StatusCode::OK, Some(|| schema_for!(test::Tried))),
            handler: |app, request| Box::pin(test::test_draft(app, request)),
        },
        Route {
            method: Method::GET,
            path: "/v1/routes/{id}",
            access: READ,
            summary: "Get a route",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(view_schema)),
            handler: |app, request| Box::pin(get(app, request)),
        },
        Route {
            method: Method::PATCH,
            path: "/v1/routes/{id}",
            access: ADMIN,
            summary: "Change a route, enable or disable it",
            query: &[],
            body: Body::Required(|| schema_for!(change::RouteChange)),
            success: (StatusCode::OK, Some(view_schema)),
            handler: |app, request| Box::pin(change::change(app, request)),
        },
        Route {
            method: Method::DELETE,
            path: "/v1/routes/{id}",
            access: ADMIN,
            summary: "Delete a route",
            query: &[],
            body: Body::None,
            success: (StatusCode::NO_CONTENT, None),
            handler: |app, request| Box::pin(delete(app, request)),
        },
        Route {
            method: Method::POST,
            path: "/v1/routes/{id}/rotate",
            access: ADMIN,
            summary: "Give a route's webhook a new secret; the old one also signs for a grace period",
            query: &[],
            body: Body::Optional(|| schema_for!(Rotation)),
            success: (StatusCode::OK, Some(view_schema)),
            handler: |app, request| Box::pin(rotate::rotate(app, request)),
        },
        Route {
            method: Method::POST,
            path: "/v1/routes/{id}/test",
            access: OPERATE,
            summary: "Test a route with an event, optionally sending the request",
            query: &[],
            body: Body::Optional(|| schema_for!(test::Trial)),
            success: (StatusCode::OK, Some(|| schema_for!(test::Tried))),
            handler: |app, request| Box::pin(test::test(app, request)),
        },
    ],
    direct: None,
    settings: Vec::new,
};

fn view_schema() -> Schema {
    schema_for!(RouteView)
}

async fn find(app: &App, request: &Request) -> Result<EventRoute, Problem> {
    let id: RouteId = request.id("route")?;
    app.store.find(id.as_str()).await?.ok_or_else(|| Problem::not_found("route"))
}

fn is_admin(request: &Request) -> bool {
    request.key().is_some_and(|key| key.scope == Scope::Admin)
}

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let route = find(app, &request).await?;
    let sight = if is_admin(&request) { Sight::UrlAndSecret } else { Sight::Host };
    respond::ok(&view::view(app, route, sight).await?)
}

/// JSON Schemas of a webhook target and of an action target.
pub fn target_schemas() -> [Schema; 2] {
    [schema_for!(target::NewWebhook), schema_for!(target::NewAction)]
}

/// Largest route as JSON. Its item in the table has at most 400 KB, and rotations add secrets.
const MAX_ROUTE_BYTES: usize = 380 * 1024;

/// Fails for a route that does not fit into its item.
fn check_size(route: &EventRoute) -> Result<(), Problem> {
    let size = serde_json::to_vec(route).map_err(Problem::internal)?.len();
    if size <= MAX_ROUTE_BYTES {
        return Ok(());
    }
    let detail = format!(
        "takes {size} bytes to store; at most {MAX_ROUTE_BYTES} are allowed: shorten its names, headers or body"
    );
    Err(Problem::invalid_body(vec![Fault::new("/target", detail)]))
}

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let page = app.store.page::<EventRoute>(request.limit()?, request.position("routes")?.as_deref()).await?;
    let sight = if is_admin(&request) { Sight::Url } else { Sight::Host };
    crate::control_page(&request, "routes", page, |route| view::view(app, route, sight)).await
}

async fn delete(app: &App, request: Request) -> Result<Response, Problem> {
    let route = find(app, &request).await?;
    incident::delete(app, &route).await?;
    Ok(respond::no_content())
}
