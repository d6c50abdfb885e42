//! The catalogue: the modules of every platform, the OpenAPI document of every route, and the health check.

mod openapi;

use app::{App, Function, Route};
use http::StatusCode;
use models::{Module, ModuleKind, Scope};
use registry::PLATFORMS;
use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::Value;
use url::Url;
use web::{Access, Problem, Request, Response, respond};

pub static FUNCTION: Function =
    Function { name: "api-modules", routes: &[CATALOGUE, DOCUMENT, HEALTH], direct: None, settings: Vec::new };

/// The functions of this crate.
static FUNCTIONS: &[&Function] = &[&FUNCTION];

/// Every function that is called over HTTP.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    registry::functions()
        .chain(api::FUNCTIONS.iter().copied())
        .chain(FUNCTIONS.iter().copied())
        .chain([&mcp::FUNCTION, &console::FUNCTION])
}

#[derive(Serialize, JsonSchema)]
struct PlatformView {
    name: &'static str,
    label: &'static str,
    /// JSON Schema of a connection's credentials.
    credentials: Value,
    /// Name of the credential that a new connection's `generate` creates. Null if the platform has none.
    generated: Option<&'static str>,
    modules: Vec<ModuleView>,
}

#[derive(Serialize, JsonSchema)]
struct ModuleView {
    name: &'static str,
    kind: KindView,
    label: &'static str,
    description: &'static str,
    /// JSON Schema of a hook's settings, or of an action's input.
    input: Value,
    /// JSON Schema of the event, or of an action's output.
    output: Value,
    /// Path that an action is run with by a POST. Null for a trigger, whose hooks are created by `POST /v1/hooks`.
    path: Option<&'static str>,
    /// Type of a trigger's events.
    event_type: Option<&'static str>,
    /// Steps at the platform that register a hook's URL.
    setup: Option<&'static str>,
    /// A body to try a hook with.
    sample: Option<Value>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum KindView {
    Trigger,
    Action,
}

#[derive(Serialize, JsonSchema)]
struct Health {
    status: &'static str,
    version: &'static str,
}

const CATALOGUE: Route =
    Route::get("/v1/modules", Access::Key(Scope::Read), "List the platforms with their modules", |app, request| {
        Box::pin(catalogue(app, request))
    })
    .answers_with(StatusCode::OK, || api::page_of(schema_for!(PlatformView)));

async fn catalogue(_: &App, _: Request) -> Result<Response, Problem> {
    let platforms = PLATFORMS.iter().map(|platform| PlatformView {
        name: platform.name,
        label: platform.label,
        credentials: (platform.credentials)().to_value(),
        generated: generated(platform.name),
        modules: platform.modules.iter().map(view).collect(),
    });
    respond::page(platforms.collect(), None)
}

/// Name of the credential that Switchboard can generate for a platform.
fn generated(platform: &str) -> Option<&'static str> {
    registry::GENERATED.iter().find(|(name, _)| *name == platform).and_then(|(_, credential)| *credential)
}

fn view(module: &Module) -> ModuleView {
    let view = ModuleView {
        name: module.name(),
        kind: KindView::Action,
        label: module.label,
        description: module.description,
        input: module.input()().to_value(),
        output: (module.output)().to_value(),
        path: None,
        event_type: None,
        setup: None,
        sample: None,
    };
    match module.kind {
        ModuleKind::Trigger { trigger, setup, sample, .. } => ModuleView {
            kind: KindView::Trigger,
            event_type: Some(trigger.event_type),
            setup: Some(setup),
            sample: serde_json::from_str(sample).ok(),
            ..view
        },
        ModuleKind::Action(action) => ModuleView { path: Some(action.path), ..view },
    }
}

const DOCUMENT: Route = Route::get("/v1/openapi.json", Access::Public, "Get this document", |app, request| {
    Box::pin(document(app, request))
});

async fn document(app: &App, _: Request) -> Result<Response, Problem> {
    respond::ok(&openapi::document(app.config.public_url.as_ref().map(Url::as_str)))
}

const HEALTH: Route =
    Route::get("/v1/health", Access::Public, "Check the service's health and version", |app, request| {
        Box::pin(health(app, request))
    })
    .answers::<Health>();

async fn health(_: &App, _: Request) -> Result<Response, Problem> {
    respond::ok(&Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}
