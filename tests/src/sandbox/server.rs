//! The HTTP server: records the request, applies a fault, or passes the request on to its platform.

use super::{Platform, Seen, Shared, control, json, lock};
use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;
use tokio::net::TcpListener;

const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Serves until the sandbox is dropped, then finishes open requests.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let closing = shared.clone();
    let router = Router::new().fallback(answer).with_state(shared);
    let served = axum::serve(listener, router).with_graceful_shutdown(async move { closing.closed().await });
    // Serving does not fail: axum retries after an error of accept.
    let _ = served.await;
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return (StatusCode::BAD_REQUEST, "the body is incomplete or larger than 10 MB").into_response();
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    let Some((platform, path)) = Platform::at(parts.uri.path()) else {
        return control::answer(&shared, &parts.method, parts.uri.path(), &body).await;
    };
    let (path, query) = (path.to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    play(&shared, Seen { platform, method: parts.method, path, query, headers: parts.headers, body }).await
}

/// A request to a platform.
async fn play(shared: &Shared, seen: Seen) -> Response {
    lock(&shared.seen).push(seen.clone());
    if let Some(script) = &*lock(&shared.script) {
        return script(&seen);
    }
    let fault = super::fault::due(&mut lock(&shared.faults), &seen);
    match fault {
        Some(fault) => fault.answer(shared, &seen).await,
        None => {
            let (status, body) = seen.platform.answer(shared, &seen).await;
            json(status, &body)
        }
    }
}
