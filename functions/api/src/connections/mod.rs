//! Connections: named accounts on platforms. The API never returns their credentials.

mod credentials;

use crate::{ADMIN, CURSOR, LIMIT, READ, control, references};
use app::{App, Function, Route};
use connector::{Connector, platform::ConnectionTest};
use credentials::CheckedCredentials;
use http::StatusCode;
use models::{ConnectionId, Fault, Timestamp, clock::random};
use registry::{NAMES, connector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::future::ready;
use store::{StoreError, connections::Connection, hooks::Hook, references::Reference};
use web::{Code, Problem, Request, RequestExt as _, Response, input, respond};

pub static FUNCTION: Function = Function {
    name: "api-connections",
    routes: &[CREATE, LIST, GET, CHANGE, DELETE, TEST],
    direct: None,
    settings: registry::settings,
};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NewConnection {
    /// A platform of the catalogue.
    #[schemars(extend("enum" = NAMES))]
    platform: String,
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// Credentials by the platform's schema in the catalogue.
    #[serde(default, rename = "credentials")]
    _credentials: Map<String, Value>,
    /// True to generate a strong secret, for a platform whose secret the user chooses.
    #[serde(default, rename = "generate")]
    _generate: bool,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ConnectionChange {
    #[schemars(length(min = 1, max = 200))]
    name: Option<String>,
    /// Replaces all credentials.
    #[serde(rename = "credentials")]
    _credentials: Option<Map<String, Value>>,
    /// True to generate a strong secret, in addition to the given credentials.
    #[serde(default, rename = "generate")]
    _generate: bool,
}

#[derive(Serialize, JsonSchema)]
struct ConnectionView {
    id: ConnectionId,
    platform: String,
    name: String,
    /// Masked: `••••`, followed by the last four characters if there are sixteen or more.
    credentials: Map<String, Value>,
    /// Weak credentials that should be replaced, with the reasons.
    warnings: Vec<Fault>,
    /// The credential that was just generated, to be entered at the platform. It is shown only once, and null
    /// afterwards.
    generated: Option<Map<String, Value>>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn view(connection: Connection) -> Result<ConnectionView, Problem> {
    Ok(ConnectionView {
        credentials: serde_json::from_str(&connection.masked).map_err(Problem::internal)?,
        id: connection.id,
        platform: connection.platform,
        name: connection.name,
        warnings: connection.warnings,
        generated: None,
        created_at: connection.created_at,
        updated_at: connection.updated_at,
    })
}

const CREATE: Route =
    Route::post("/v1/connections", ADMIN, "Create a connection", |app, request| Box::pin(create(app, request)))
        .takes::<NewConnection>()
        .creates::<ConnectionView>();

async fn create(app: &App, request: Request) -> Result<Response, Problem> {
    let mut given = None;
    let new: NewConnection = input::body_with(&request, |body| {
        let connector = body["platform"].as_str().and_then(connector);
        connector.map_or(Ok(Vec::new()), |connector| CheckedCredentials::read(app, connector, body, true, &mut given))
    })?;
    let known = connector(&new.platform);
    let connector = known
        .ok_or_else(|| Problem::invalid_body(vec![Fault::new("/platform", "is not a platform of the catalogue")]))?;
    let id = ConnectionId::new(request.now(), random()?);
    let given: CheckedCredentials = given.unwrap_or_default();
    let (sealed, masked) = credentials::seal(app, &id, given.credentials).await?;
    let connection = Connection {
        id,
        v: 1,
        version: 1,
        platform: connector.platform.name.to_owned(),
        name: new.name,
        sealed,
        masked,
        warnings: given.warnings,
        created_at: request.now(),
        updated_at: request.now(),
    };
    app.store.create(&connection).await?;
    respond::json(StatusCode::CREATED, &ConnectionView { generated: given.generated, ..view(connection)? })
}

pub const LIST: Route =
    Route::get("/v1/connections", READ, "List connections", |app, request| Box::pin(list(app, request)))
        .with_query(&[LIMIT, CURSOR])
        .answers_with(StatusCode::OK, crate::page_of_any::<ConnectionView>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    control::list(app, &request, "connections", |connection| ready(view(connection))).await
}

async fn find(app: &App, request: &Request) -> Result<(Connection, &'static Connector), Problem> {
    let connection: Connection = control::find(app, request).await?;
    let connector =
        connector(&connection.platform).ok_or_else(|| Problem::internal("a connection has an unknown platform"))?;
    Ok((connection, connector))
}

/// The connection that a body names.
pub async fn by_id(app: &App, id: &str) -> Result<Connection, Problem> {
    let missing = || Problem::not_found("connection");
    let id: ConnectionId = id.parse().map_err(|_| missing())?;
    app.store.find(id.as_str()).await?.ok_or_else(missing)
}

const GET: Route =
    Route::get("/v1/connections/{id}", READ, "Get a connection", |app, request| Box::pin(get(app, request)))
        .answers::<ConnectionView>();

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    respond::ok(&view(find(app, &request).await?.0)?)
}

const CHANGE: Route =
    Route::patch("/v1/connections/{id}", ADMIN, "Rename a connection, or replace its credentials", |app, request| {
        Box::pin(change(app, request))
    })
    .takes::<ConnectionChange>()
    .answers::<ConnectionView>();

async fn change(app: &App, request: Request) -> Result<Response, Problem> {
    let (mut connection, connector) = find(app, &request).await?;
    let mut given = None;
    let change: ConnectionChange =
        input::body_with(&request, |body| CheckedCredentials::read(app, connector, body, false, &mut given))?;
    if let Some(name) = change.name {
        connection.name = name;
    }
    let mut generated = None;
    if let Some(given) = given {
        (connection.sealed, connection.masked) = credentials::seal(app, &connection.id, given.credentials).await?;
        (connection.warnings, generated) = (given.warnings, given.generated);
    }
    connection.updated_at = request.now();
    app.store.update(&mut connection).await?;
    app.connections.forget(&connection.id);
    respond::ok(&ConnectionView { generated, ..view(connection)? })
}

const DELETE: Route =
    Route::delete("/v1/connections/{id}", ADMIN, "Delete a connection that no hook or route uses", |app, request| {
        Box::pin(delete(app, request))
    });

async fn delete(app: &App, request: Request) -> Result<Response, Problem> {
    for _ in 0..references::ATTEMPTS {
        let (mut connection, _) = find(app, &request).await?;
        let read = app.store.references_version(connection.id.as_str()).await?;
        let using = using(app, &connection.id).await?;
        if !using.is_empty() {
            return Err(Problem::new(
                Code::ConnectionInUse,
                format!("in use by {}; delete those first, or give them another connection", using.join(", ")),
            ));
        }
        match app.store.remove_unreferenced(&mut connection, read).await {
            // A hook or a route that names it may have been created in the meantime.
            Err(StoreError::Condition(_)) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => {
                app.connections.forget(&connection.id);
                return Ok(respond::no_content());
            }
        }
    }
    Err(StoreError::Condition(None).into())
}

/// The hooks and routes that name a connection.
async fn using(app: &App, connection: &ConnectionId) -> Result<Vec<String>, Problem> {
    let (hooks, routes) = futures::try_join!(app.store.all::<Hook>(), app.store.readable_routes())?;
    let connection = Reference::from(connection);
    let hooks = hooks.iter().filter(|hook| hook.references().contains(&connection)).map(|hook| hook.id.to_string());
    let routes = routes.iter().filter(|route| route.references().contains(&connection));
    Ok(hooks.chain(routes.map(|route| route.id.to_string())).collect())
}

const TEST: Route = Route::post(
    "/v1/connections/{id}/test",
    ADMIN,
    "Test a connection's credentials at the platform",
    |app, request| Box::pin(test(app, request)),
)
.answers::<ConnectionTest>();

async fn test(app: &App, request: Request) -> Result<Response, Problem> {
    let (connection, connector) = find(app, &request).await?;
    let credentials = app::connections::open(app, &connection).await?;
    respond::ok(&(connector.test)(app, credentials).await?)
}
