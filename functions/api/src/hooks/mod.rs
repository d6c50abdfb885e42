//! Hooks: secret URLs of triggers.

mod change;
mod create;
mod delete;
mod registration;
mod rejected;
mod remap;
mod rotate;
mod sample;
mod shape;
mod view;

use crate::{
    CURSOR, LIMIT, READ,
    control::{self, find, sees_secrets},
};
use app::{App, Function, Route};
use http::StatusCode;
use store::hooks::Hook;
use view::HookView;
use web::{Problem, Request, Response, respond};

pub static FUNCTION: Function = Function {
    name: "api-hooks",
    routes: &[
        create::ROUTE,
        LIST,
        GET,
        change::ROUTE,
        delete::ROUTE,
        rotate::ROUTE,
        remap::ROUTE,
        sample::ROUTE,
        shape::ROUTE,
        rejected::LIST,
        rejected::RAW,
    ],
    direct: None,
    settings: registry::settings,
};

const GET: Route =
    Route::get("/v1/hooks/{id}", READ, "Get a hook", |app, request| Box::pin(get(app, request))).answers::<HookView>();

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = find::<Hook>(app, &request).await?;
    respond::ok(&view::view(app, &request, hook, sees_secrets(&request)).await?)
}

const LIST: Route = Route::get("/v1/hooks", READ, "List hooks", |app, request| Box::pin(list(app, request)))
    .with_query(&[LIMIT, CURSOR])
    .answers_with(StatusCode::OK, crate::page_of_any::<HookView>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    control::list(app, &request, "hooks", |hook| view::view(app, &request, hook, sees_secrets(&request))).await
}
