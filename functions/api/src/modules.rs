//! What there is: the catalogue of modules, the OpenAPI document, and whether it is up.

use crate::{READ, openapi};
use http::{Method, StatusCode};
use registry::PLATFORMS;
use runtime::{Access, App, Body, Call, Function, Problem, Reply, Route};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde_json::Value;

pub static FUNCTION: Function = Function {
    name: "api-modules",
    routes: &[
        Route {
            method: Method::GET,
            path: "/v1/modules",
            access: READ,
            summary: "List the platforms with their modules",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of(schema_for!(PlatformView)))),
            handler: |app, call| Box::pin(catalogue(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/openapi.json",
            access: Access::Public,
            summary: "Get this document",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, None),
            handler: |app, call| Box::pin(document(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/health",
            access: Access::Public,
            summary: "Ask whether it is up, and in which version",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| schema_for!(Health))),
            handler: |_, _| Box::pin(health()),
        },
    ],
};

#[derive(Serialize, JsonSchema)]
struct PlatformView {
    name: &'static str,
    label: &'static str,
    /// JSON Schema of a connection's credentials.
    credentials: Value,
    modules: Vec<ModuleView>,
}

#[derive(Serialize, JsonSchema)]
struct ModuleView {
    name: &'static str,
    kind: Kind,
    label: &'static str,
    description: &'static str,
    /// What to do at the platform with a hook's URL.
    setup: &'static str,
    event_type: &'static str,
    /// JSON Schema of a hook's settings.
    input: Value,
    /// JSON Schema of the event.
    output: Value,
    /// A body to try a hook with.
    sample: Value,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Trigger,
}

#[derive(Serialize, JsonSchema)]
struct Health {
    status: &'static str,
    version: &'static str,
}

async fn catalogue(_: &App, _: Call) -> Result<Reply, Problem> {
    let schema = |make: fn() -> Schema| make().to_value();
    let platforms = PLATFORMS.iter().map(|platform| PlatformView {
        name: platform.name,
        label: platform.label,
        credentials: schema(platform.credentials),
        modules: platform
            .modules
            .iter()
            .map(|module| ModuleView {
                name: module.trigger.name,
                kind: Kind::Trigger,
                label: module.label,
                description: module.description,
                setup: module.setup,
                event_type: module.trigger.event_type,
                input: schema(module.input),
                output: schema(module.output),
                sample: serde_json::from_str(module.sample).unwrap_or_default(),
            })
            .collect(),
    });
    Reply::page(platforms.collect(), None)
}

async fn document(_: &App, _: Call) -> Result<Reply, Problem> {
    Reply::ok(&openapi::document())
}

async fn health() -> Result<Reply, Problem> {
    Reply::ok(&Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}
