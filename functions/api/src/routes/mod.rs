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
pub use faults::pattern_faults;
use http::StatusCode;
use models::Fault;
use schemars::{Schema, schema_for};
use store::routes::EventRoute;
use view::{RouteView, UrlVisibility};
use web::{Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

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
    .with_query(&[
        Query {
            name: KIND,
            value: QueryValue::OneOf(&[SUBSCRIPTION]),
            description: "Only the subscriptions of MCP clients. Default: all routes but those.",
        },
        LIMIT,
        CURSOR,
    ])
    .answers_with(StatusCode::OK, crate::page_of_any::<RouteView>);

const KIND: &str = "kind";
const SUBSCRIPTION: &str = "mcp";

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let sight = if sees_secrets(&request) { UrlVisibility::Url } else { UrlVisibility::Host };
    let list = match request.query(KIND).as_deref() {
        None => ("routes", EventRoute::ROUTES),
        Some(SUBSCRIPTION) => ("subscriptions", EventRoute::SUBSCRIPTIONS),
        Some(_) => return Err(Problem::invalid_query(KIND, "must be mcp")),
    };
    control::list_among(app, &request, list, |route| view::view(app, route, sight)).await
}

const DELETE: Route =
    Route::delete("/v1/routes/{id}", ADMIN, "Delete a route", |app, request| Box::pin(delete(app, request)));

async fn delete(app: &App, request: Request) -> Result<Response, Problem> {
    let route = find::<EventRoute>(app, &request).await?;
    incident::delete(app, &route).await?;
    Ok(respond::no_content())
}
