//! HTTP server of the database on a loopback port, for functions in other processes, as under `cargo lambda watch`.
//!
//! Any program and any web page can reach such a port, so it requires a secret: the access key id of the caller's
//! credentials, which must be random and created for this run. Signatures are not verified, because the key id alone
//! works as a bearer token: only this process and the processes that it starts know it. The secret access key may be
//! anything.
//! anything.

use std::io;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE as CONTENT_TYPE_HEADER, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

use crate::{
    Database,
    operations::{CONTENT_TYPE, Reply},
};

/// DynamoDB's own limit.
const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;

#[derive(Clone)]
struct Door {
    database: Database,
    access_key_id: String,
}

/// Serves the database on `listener` until `shutdown` resolves, to callers whose credentials have this `access_key_id`.
/// Requests from browsers, which send `Origin`, are always rejected.
pub async fn serve(
    database: Database,
    listener: TcpListener,
    access_key_id: String,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new().fallback(handle).with_state(Door { database, access_key_id });
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn handle(State(door): State<Door>, request: Request) -> Response {
    match door.answer(request).await {
        Ok(reply) | Err(reply) => reply.into_response(),
    }
}

impl Door {
    async fn answer(&self, request: Request) -> Result<Reply, Reply> {
        let (head, body) = request.into_parts();
        if head.headers.contains_key(ORIGIN) {
            return Err(Reply::refusal(403, "AccessDeniedException", "a web page may not use the database"));
        }
        if !self.admits(&head.headers) {
            return Err(Reply::refusal(
                403,
                "UnrecognizedClientException",
                "the access key id does not belong to this run",
            ));
        }
        if head.method != Method::POST || head.uri.path() != "/" {
            return Err(Reply::refusal(404, "UnknownOperationException", "only POST / is supported"));
        }
        let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let body = to_bytes(body, BODY_LIMIT_BYTES).await.map_err(|_| {
            Reply::refusal(413, "RequestEntityTooLargeException", "the body is incomplete or exceeds 16 MB")
        })?;
        Ok(self.database.answer(target, body.into()).await)
    }

    /// Compares in constant time, so that the key id can't be guessed byte by byte.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let named = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("AWS4-HMAC-SHA256 Credential="))
            .and_then(|value| value.split_once('/'))
            .map(|(access_key_id, _)| access_key_id);
        named.is_some_and(|named| named.as_bytes().ct_eq(self.access_key_id.as_bytes()).into())
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(CONTENT_TYPE_HEADER, CONTENT_TYPE)], self.body).into_response()
    }
}
