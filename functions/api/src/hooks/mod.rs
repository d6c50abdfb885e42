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
use http::{Method, StatusCode};
use models::HookId;
use runtime::{App, Body, Call, Function, Problem, Query, QueryValue, Reply, Route, auth::Scope, store::hooks::Hook};
use schemars::{Schema, schema_for};
use view::HookView;

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
            handler: |app, call| Box::pin(create::create(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/hooks",
            access: READ,
            summary: "List the hooks",
            query: &[LIMIT, CURSOR],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(view_schema()))),
            handler: |app, call| Box::pin(list(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/hooks/{id}",
            access: READ,
            summary: "Get a hook",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(view_schema)),
            handler: |app, call| Box::pin(get(app, call)),
        },
        Route {
            method: Method::PATCH,
            path: "/v1/hooks/{id}",
            access: ADMIN,
            summary: "Rename a hook, enable or disable it, change its settings",
            query: &[],
            body: Body::Required(|| schema_for!(change::HookChange)),
            success: (StatusCode::OK, Some(view_schema)),
            handler: |app, call| Box::pin(change::change(app, call)),
        },
        Route {
            method: Method::DELETE,
            path: "/v1/hooks/{id}",
            access: ADMIN,
            summary: "Delete a hook, and its webhook where the platform was told of it; its events stay",
            query: &[FORCE],
            body: Body::None,
            success: (StatusCode::NO_CONTENT, None),
            handler: |app, call| Box::pin(delete::delete(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/hooks/{id}/rotate",
            access: ADMIN,
            summary: "Give a hook a new URL; the old one works on for a while",
            query: &[],
            body: Body::Optional(|| schema_for!(crate::rotation::Rotation)),
            success: (StatusCode::OK, Some(view_schema)),
            handler: |app, call| Box::pin(rotate::rotate(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/hooks/{id}/remap",
            access: ADMIN,
            summary: "Read a hook's kept events anew, by its mapping as it is now",
            query: &[CURSOR],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(remap::Remapped))),
            handler: |app, call| Box::pin(remap::remap(app, call)),
        },
        Route {
            method: Method::POST,
            path: "/v1/hooks/{id}/sample",
            access: ADMIN,
            summary: "Send a sample body to a hook's own URL",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(sample::Sent))),
            handler: |app, call| Box::pin(sample::send(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/hooks/{id}/rejected",
            access: READ,
            summary: "List the calls that a hook could not take",
            query: &[VIEW, LIMIT, CURSOR],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(schema_for!(rejected::Rejected)))),
            handler: |app, call| Box::pin(rejected::list(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/hooks/{id}/rejected/{rejected_id}/raw",
            access: READ,
            summary: "Get a rejected call's body byte for byte",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(crate::raw::schema)),
            handler: |app, call| Box::pin(rejected::raw(app, call)),
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

async fn find(app: &App, call: &Call) -> Result<Hook, Problem> {
    let id: HookId = call.id("hook")?;
    app.store.find(id.as_str()).await?.ok_or_else(|| Problem::not_found("hook"))
}

/// Whether the caller may see URLs.
fn sees_url(call: &Call) -> bool {
    call.key.as_ref().is_some_and(|key| key.scope == Scope::Admin)
}

async fn get(app: &App, call: Call) -> Result<Reply, Problem> {
    let hook = find(app, &call).await?;
    Reply::ok(&view::view(app, &call, hook, sees_url(&call)).await?)
}

async fn list(app: &App, call: Call) -> Result<Reply, Problem> {
    let page = app.store.page::<Hook>(call.limit()?, call.position("hooks")?.as_deref()).await?;
    crate::control_page(&call, "hooks", page, |hook| view::view(app, &call, hook, sees_url(&call))).await
}
