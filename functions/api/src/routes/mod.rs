//! Routes: rules that send matching events to a target.

mod change;
mod create;
mod faults;
mod incident;
mod rotate;
mod target;
mod test;
mod view;

use crate::{
    ADMIN, CURSOR, LIMIT, READ,
    control::{self, find, sees_secrets},
};
use app::{App, Function, Route};
use http::StatusCode;
use models::Fault;
use schemars::{Schema, schema_for};
use store::routes::EventRoute;
use view::{RouteView, UrlVisibility};
use web::{Problem, Request, Response, respond};

pub static FUNCTION: Function = Function {
    name: "api-routes",
    routes: &[create::ROUTE, LIST, test::TEST_DRAFT, GET, change::ROUTE, DELETE, rotate::ROUTE, test::TEST],
    direct: None,
    settings: Vec::new,
};

const GET: Route = Route::get("/v1/routes/{id}", READ, "Get a route", |app, request| Box::pin(get(app, request)))
    .answers::<RouteView>();

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let route = find::<EventRoute>(app, &request).await?;
    let sight = if sees_secrets(&request) { UrlVisibility::UrlAndSecret } else { UrlVisibility::Host };
    respond::ok(&view::view(app, route, sight).await?)
}

/// JSON Schemas of a webhook target, an action target and an AWS target.
pub fn target_schemas() -> [Schema; 3] {
    [schema_for!(target::NewWebhook), schema_for!(target::NewAction), schema_for!(target::NewAws)]
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

const LIST: Route = Route::get("/v1/routes", READ, "List routes", |app, request| Box::pin(list(app, request)))
    .with_query(&[LIMIT, CURSOR])
    .answers_with(StatusCode::OK, crate::page_of_any::<RouteView>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let sight = if sees_secrets(&request) { UrlVisibility::Url } else { UrlVisibility::Host };
    control::list(app, &request, "routes", |route| view::view(app, route, sight)).await
}

const DELETE: Route =
    Route::delete("/v1/routes/{id}", ADMIN, "Delete a route", |app, request| Box::pin(delete(app, request)));

async fn delete(app: &App, request: Request) -> Result<Response, Problem> {
    let route = find::<EventRoute>(app, &request).await?;
    incident::delete(app, &route).await?;
    Ok(respond::no_content())
}
