//! `POST /v1/hooks`: creates a hook and its secret URL.

use super::{
    registration,
    view::{HookView, view},
};
use crate::{ADMIN, connections, references};
use app::{App, Route};
use connector::{reply, settings};
use http::StatusCode;
use models::{Fault, HookId, Timestamp, clock::random, fingerprint, ids::SECRET_BYTES};
use registry::TriggerEntry;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use store::hooks::{Hook, Registration, Token};
use web::{Code, Problem, Request, RequestExt as _, Response, input, respond};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NewHook {
    /// A trigger of the catalogue, for example `botstar.watch-tag`.
    #[schemars(extend("enum" = registry::triggers().map(|watch| watch.trigger.name).collect::<Vec<_>>()))]
    trigger: String,
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// A connection of the trigger's platform.
    #[schemars(extend("format" = "connection-id"))]
    connection: String,
    /// Settings by the trigger's schema in the catalogue.
    #[serde(default)]
    settings: Map<String, Value>,
}

pub const ROUTE: Route =
    Route::post("/v1/hooks", ADMIN, "Create a hook", |app, request| Box::pin(create(app, request)))
        .takes::<NewHook>()
        .creates::<HookView>();

pub async fn create(app: &App, request: Request) -> Result<Response, Problem> {
    let new: NewHook = input::body_with(&request, |body| {
        let watch = body["trigger"].as_str().and_then(registry::trigger);
        settings_faults(body, watch)
    })?;
    let Some(watch) = registry::trigger(&new.trigger) else {
        return Err(Problem::invalid_body(vec![Fault::new("/trigger", "is not a trigger of the catalogue")]));
    };
    let connection = connections::by_id(app, &new.connection).await?;
    if connection.platform != watch.platform.name {
        let detail =
            format!("the connection belongs to {}, the trigger to {}", connection.platform, watch.platform.name);
        return Err(Problem::new(Code::ConnectionMismatch, detail));
    }
    let id = HookId::new(request.now(), random()?);
    let mut hook = Hook {
        tokens: vec![new_token(app, &id).await?],
        id,
        v: 1,
        version: 1,
        trigger: watch.trigger.name.to_owned(),
        platform: watch.platform.name.to_owned(),
        connection: connection.id,
        name: new.name,
        enabled: true,
        settings: settings::read(new.settings).map_err(Problem::internal)?,
        registration: watch.registrar().map(|_| Registration::Pending),
        created_at: request.now(),
        updated_at: request.now(),
    };
    let named = hook.references();
    if let Err(error) = app.store.create_referring(&hook, &named, request.now()).await {
        return Err(references::not_created(app, error, &named).await);
    }
    if let Some(registrar) = watch.registrar() {
        registration::register(app, &request, registrar, &mut hook).await?;
    }
    respond::json(StatusCode::CREATED, &view(app, &request, hook, true).await?)
}

/// Largest reply template in bytes. A hook is one item of the table, and the template is held in memory while it is
/// filled in.
const MAX_TEMPLATE_BYTES: usize = 32 * 1024;

/// Checks a hook's settings against its trigger's schema.
pub fn settings_faults(body: &mut Value, watch: Option<TriggerEntry>) -> Result<Vec<Fault>, Problem> {
    let schema = watch.map_or_else(settings::schema, |watch| (watch.settings)());
    let mut faults = input::part_faults(body, "/settings", Some(schema.clone()))?;
    if faults.is_empty() {
        input::normalize_part(body, "/settings", &schema)?;
    }
    if let Some(reply) = body.pointer("/settings/reply") {
        faults.extend(reply::faults(reply, "/settings/reply"));
        if reply.to_string().len() > MAX_TEMPLATE_BYTES {
            faults.push(Fault::new("/settings/reply", "must have at most 32 KB"));
        }
    }
    Ok(faults)
}

/// Creates a hook's secret token.
pub async fn new_token(app: &App, hook: &HookId) -> Result<Token, Problem> {
    let token = hook.token(&random::<SECRET_BYTES>()?);
    let sealed = app.sealer()?.seal(hook.as_str(), &token).await?;
    Ok(Token { sha256: fingerprint(&token), sealed, expires_at: None::<Timestamp> })
}
