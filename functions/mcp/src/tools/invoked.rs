//! Tools that run in another function, by invoking it: the MCP server has neither its rights nor its code.

use app::{App, Route, functions::InvokeOutcome};
use serde_json::{Map, Value};
use web::{Code, Problem, Request, RequestExt as _, Response, Retry};

/// A replay evaluates the filters of routes.
pub const REPLAY: Route =
    Route { handler: |app, request| Box::pin(forward(app, api::events::NAME, request)), ..api::events::replay::ROUTE };

/// A retry sends to the delivery queue.
pub const RETRY: Route = Route {
    handler: |app, request| Box::pin(forward(app, api::deliveries::NAME, request)),
    ..api::deliveries::retry::ROUTE
};

/// Invokes a function of the API with the path's id and the fields of the body.
async fn forward(app: &App, function: &str, request: Request) -> Result<Response, Problem> {
    let mut input: Map<String, Value> = match request.body().as_ref() {
        b"" => Map::new(),
        body => serde_json::from_slice(body).map_err(Problem::internal)?,
    };
    input.insert("id".to_owned(), request.param("id").into());
    let input = serde_json::to_vec(&input).map_err(Problem::internal)?;
    invoke(app, function, input).await.map(Response::new)
}

/// Invokes a function, and returns its output as JSON.
pub async fn invoke(app: &App, function: &str, input: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let not_started = |reason: String| Problem::internal(reason).retried(Retry::SOON);
    let functions = app.functions().ok_or_else(|| not_started("ACTION_FUNCTION_PREFIX is not set".to_owned()))?;
    match functions.invoke(function, input).await {
        InvokeOutcome::Done(output) => Ok(output),
        InvokeOutcome::Failed(problem) => Err(problem),
        InvokeOutcome::NotStarted(reason) => Err(not_started(reason)),
        InvokeOutcome::Unknown(reason) => {
            let detail = "check whether it was done before you repeat the call";
            let problem = Problem::new(Code::OutcomeUnknown, detail).retried(Retry::Unknown);
            Err(problem.caused_by(reason))
        }
    }
}
