//! Hooks: the open ends of triggers, each with a secret URL.

mod change;
mod create;
mod delete;
mod registration;
mod rejected;
mod remap;
mod rotate;
mod sample;
mod view;

use crate::{ADMIN, CURSOR, LIMIT, READ, VIEW};
use app::{App, Function, Route};
use http::{Method, StatusCode};
use models::{HookId, Scope};
use schemars::{Schema, schema_for};
use store::hooks::Hook;
use view::HookView;
use web::{Body, Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

pub static FUNCTION: Function = Function {
    name: "api-hooks",
    routes: &[
        Route {
            method: Method::POST,
            path: "/v1/hooks",
            access: ADMIN,
            summary: "Make a hook",
            query: &[],
            body: Body::Required(|| schema_for!(create::NewHook)),
            success: (StatusCode::CREATED, Some(view_schema)),
            handler: |app, request| Box::pin(create::create(app, request)),
        },
        Route {
            method: Method::GET,
            path: "/v1/hooks",
            access: READ,
            summary: "List the hooks",
            query: &[LIMIT, CURSOR],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(view_schema()))),
            handler: |app, request| Box::pin(list(app, request)),
        },
        Route {
            method: Method::GET,
            path: "/v1/hooks/{id}",
            access: READ,
            summary: "Get a hook",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(view_schema)),
            handler: |app, request| Box::pin(get(app, request)),
        },
        Route {
            method: Method::PATCH,
            path: "/v1/hooks/{id}",
            access: ADMIN,
            summary: "Rename a hook, enable or disable it, change its settings",
            query: &[],
            body: Body::Required(|| schema_for!(change::HookChange)),
            success: (StatusCode::OK, Some(view_schema)),
            handler: |app, request| Box::pin(change::change(app, request)),
        },
        Route {
            method: Method::DELETE,
            path: "/v1/hooks/{id}",
            access: ADMIN,
            summary: "Delete a hook, and its webhook where the platform was told of it; its events stay",
            query: &[FORCE],
            body: Body::None,
            success: (StatusCode::NO_CONTENT, None),
            handler: |app, request| Box::pin(delete::delete(app, request)),
        },
        Route {
            method: Method::POST,
            path: "/v1/hooks/{id}/rotate",
            access: ADMIN,
            summary: "Give a hook a new URL; the old one works on for a while",
            query: &[],
            body: Body::Optional(|| schema_for!(crate::rotation::Rotation)),
            success: (StatusCode::OK, Some(view_schema)),
            handler: |app, request| Box::pin(rotate::rotate(app, request)),
        },
        Route {
            method: Method::POST,
            path: "/v1/hooks/{id}/remap",
            access: ADMIN,
            summary: "Read a hook's kept events anew, by its mapping as it is now",
            query: &[CURSOR],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(remap::Remapped))),
            handler: |app, request| Box::pin(remap::remap(app, request)),
        },
        Route {
            method: Method::POST,
            path: "/v1/hooks/{id}/sample",
            access: ADMIN,
            summary: "Send a sample body to a hook's own URL",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(sample::Sent))),
            handler: |app, request| Box::pin(sample::send(app, request)),
        },
        Route {
            method: Method::GET,
            path: "/v1/hooks/{id}/rejected",
            access: READ,
            summary: "List the calls that a hook could not take",
            query: &[VIEW, LIMIT, CURSOR],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(schema_for!(rejected::Rejected)))),
            handler: |app, request| Box::pin(rejected::list(app, request)),
        },
        Route {
            method: Method::GET,
            path: "/v1/hooks/{id}/rejected/{rejected_id}/raw",
            access: READ,
            summary: "Get a rejected call's body byte for byte",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(crate::raw::schema)),
            handler: |app, request| Box::pin(rejected::raw(app, request)),
        },
    ],
    direct: None,
    settings: registry::settings,
};

const FORCE: Query = Query {
    name: "force",
    description: "true: delete the hook even if routes name it, which are then disabled, or the platform can't be told.",
    value: QueryValue::OneOf(&["true", "false"]),
};

fn view_schema() -> Schema {
    schema_for!(HookView)
}

async fn find(app: &App, request: &Request) -> Result<Hook, Problem> {
    let id: HookId = request.id("hook")?;
    app.store.find(id.as_str()).await?.ok_or_else(|| Problem::not_found("hook"))
}

/// Whether the caller may see URLs.
fn sees_url(request: &Request) -> bool {
    request.key().is_some_and(|key| key.scope == Scope::Admin)
}

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = find(app, &request).await?;
    respond::ok(&view::view(app, &request, hook, sees_url(&request)).await?)
}

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let page = app.store.page::<Hook>(request.limit()?, request.position("hooks")?.as_deref()).await?;
    crate::control_page(&request, "hooks", page, |hook| view::view(app, &request, hook, sees_url(&request))).await
}
