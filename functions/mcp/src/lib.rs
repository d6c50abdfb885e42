//! MCP server: `POST /mcp` offers the actions and the reads of the API as tools to language models. It is stateless, and
//! speaks revision 2026-07-28 and, to older clients, the handshake of 2025-11-25 and 2025-06-18.
//! <https://modelcontextprotocol.io/specification/2026-07-28>

mod events;
mod message;
mod methods;
mod origin;
mod reply;
mod tools;
mod version;

use app::{App, Function, Route};
use http::{HeaderValue, StatusCode, header};
use message::{Message, RpcError};
use models::Scope;
use reply::Reply;
use serde_json::Value;
use version::Era;
use web::{
    Access, Code, Problem, Request, RequestExt as _, Response, log_cause,
    respond::{self, Logged},
};

pub use tools::{Tool, tools};

pub static FUNCTION: Function =
    Function { name: "api-mcp", routes: &[MESSAGE, LISTEN, END], direct: None, settings: Vec::new };

const MESSAGE: Route =
    Route::post("/mcp", Access::Key(Scope::Read), "Send a message to the MCP server", |app, request| {
        Box::pin(message(app, request))
    });

/// The server sends nothing of its own accord, and has no sessions.
const LISTEN: Route =
    Route::get("/mcp", Access::Public, "Rejected: the MCP server opens no streams", |app, request| {
        Box::pin(reject(app, request))
    });
const END: Route = Route::delete("/mcp", Access::Public, "Rejected: the MCP server has no sessions", |app, request| {
    Box::pin(reject(app, request))
});

async fn reject(_: &App, _: Request) -> Result<Response, Problem> {
    let problem = Problem::new(Code::MethodNotAllowed, "this route supports POST");
    Err(problem.with_header(header::ALLOW, HeaderValue::from_static("POST")))
}

async fn message(app: &App, request: Request) -> Result<Response, Problem> {
    if !origin::is_allowed(&app.config, request.headers()) {
        return refuse(&Value::Null, RpcError::foreign_origin());
    }
    let message = match Message::parse(request.body()) {
        Ok(message) => message,
        Err((id, error)) => return refuse(&id, error),
    };
    let era = version::era(request.headers(), &message);
    let Some(id) = &message.id else {
        return match era {
            Ok(_) => Ok(accepted()),
            Err(error) => refuse(&Value::Null, error),
        };
    };
    let replied = match era {
        Ok(era) => methods::answer(app, &request, era, &message).await.map(|reply| (era, reply)),
        Err(error) => Err(error),
    };
    match replied {
        Ok((era, reply)) => reply_with(id, era, reply),
        Err(error) => {
            if let Some(cause) = &error.cause {
                log_cause(cause, request.request_id(), FUNCTION.name);
            }
            refuse(id, error)
        }
    }
}

/// The answer to a notification.
fn accepted() -> Response {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn reply_with(id: &Value, era: Era, reply: Reply) -> Result<Response, Problem> {
    let outcome = reply.outcome;
    let mut response = respond::ok(&message::result(id, reply.into_result(era)))?;
    response.extensions_mut().insert(Logged { outcome, event: None });
    Ok(response)
}

fn refuse(id: &Value, error: RpcError) -> Result<Response, Problem> {
    let outcome = Some(error.name);
    let mut response = respond::json(error.status, &message::error(id, error))?;
    response.extensions_mut().insert(Logged { outcome, event: None });
    Ok(response)
}
