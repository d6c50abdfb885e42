//! Faults of the platforms, armed by a test.

use super::{Platform, Seen, Shared, json};
use axum::{
    body::{Body, Bytes},
    http::{Method, StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;
use std::{io, time::Duration};

/// Armed fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// Platform to which the fault is limited.
    pub platform: Option<Platform>,
    /// Beginning of the paths to which the fault is limited, such as `/webhooks`.
    pub path: Option<String>,
    #[serde(default, deserialize_with = "method")]
    pub method: Option<Method>,
    /// Number of requests that fail.
    #[serde(default = "once")]
    pub times: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    Gone,
    Conflict,
    /// 429, with `Retry-After: 7`.
    SlowDown,
    Error,
    Unavailable,
    Redirect,
    /// Carries the request out, and never answers.
    Hang,
    /// Never answers, and carries out nothing.
    HangBefore,
    /// Carries the request out, and answers a second later.
    Slow,
    /// Carries the request out, and breaks the connection in the middle of the answer.
    Cut,
    /// Carries out nothing, and closes the connection without a byte.
    CutBefore,
    /// Carries the request out, and answers 200 with a page of HTML.
    Nonsense,
    /// Carries the request out, and answers 200 with JSON of an undocumented shape.
    WrongShape,
    /// Carries the request out, and answers 200 with no body.
    Empty,
    /// 400, with the secrets of the request in its message: for BotStar and ChatBot the whole `Authorization`, for
    /// BotDistrikt the `domain` and the `Authorization`, for Botmother the path.
    Echo,
    /// Carries the request out, and answers 200 with more than 5 MB of JSON.
    Huge,
    /// HTTP 200 with the body of an error: ChatBot's documented envelope with 400, the others' synthetic one. Carries
    /// out nothing.
    EnvelopeError,
}

impl From<FaultKind> for Fault {
    /// Arms the fault once, for the next request of any kind.
    fn from(kind: FaultKind) -> Self {
        Self { kind, platform: None, path: None, method: None, times: once() }
    }
}

impl FaultKind {
    /// Limits the fault to requests whose path begins so.
    pub fn on(self, path: &str) -> Fault {
        Fault { path: Some(path.to_owned()), ..self.into() }
    }

    /// Limits the fault to requests to this platform.
    pub fn at(self, platform: Platform) -> Fault {
        Fault { platform: Some(platform), ..self.into() }
    }

    /// Status of a fault that is only a refusal.
    fn refusal(self) -> Option<StatusCode> {
        Some(match self {
            Self::BadRequest | Self::Echo => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Gone => StatusCode::GONE,
            Self::Conflict => StatusCode::CONFLICT,
            Self::SlowDown => StatusCode::TOO_MANY_REQUESTS,
            Self::Error => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => return None,
        })
    }

    pub(super) async fn answer(self, shared: &Shared, seen: &Seen) -> Response {
        if let Some(status) = self.refusal() {
            return self.refuse(status, seen);
        }
        match self {
            Self::Redirect => {
                let elsewhere = format!("{}/elsewhere", seen.platform.prefix());
                return (StatusCode::FOUND, [(header::LOCATION, elsewhere)]).into_response();
            }
            Self::EnvelopeError => {
                return json(StatusCode::OK, &seen.platform.error(StatusCode::BAD_REQUEST, ARMED));
            }
            Self::CutBefore => return broken(Vec::new()),
            Self::HangBefore => return hang(shared).await,
            _ => {}
        }
        let (status, body) = seen.platform.answer(shared, seen).await;
        match self {
            Self::Hang => hang(shared).await,
            Self::Slow => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                json(status, &body)
            }
            Self::Cut => cut(&body.to_string()),
            Self::Nonsense => Html("<!doctype html><title>Welcome</title><p>Please sign in.").into_response(),
            Self::WrongShape => json(StatusCode::OK, &json!([[1], "x"])),
            Self::Huge => json(StatusCode::OK, &json!({ "data": [], "count": 0, "padding": "x".repeat(5_500_000) })),
            _ => StatusCode::OK.into_response(),
        }
    }

    fn refuse(self, status: StatusCode, seen: &Seen) -> Response {
        let message = match self {
            Self::Echo => seen.platform.echo(seen),
            _ => ARMED.to_owned(),
        };
        let mut response = json(status, &seen.platform.error(status, &message));
        if self == Self::SlowDown {
            response.headers_mut().insert(header::RETRY_AFTER, 7.into());
        }
        response
    }
}

const ARMED: &str = "this fault was armed";

/// Next fault for this request, which uses it up.
pub(super) fn due(faults: &mut Vec<Fault>, seen: &Seen) -> Option<FaultKind> {
    faults.retain(|fault| fault.times > 0);
    let fault = faults.iter_mut().find(|fault| {
        fault.platform.is_none_or(|platform| platform == seen.platform)
            && fault.path.as_ref().is_none_or(|path| seen.path.starts_with(path))
            && fault.method.as_ref().is_none_or(|method| *method == seen.method)
    })?;
    fault.times -= 1;
    Some(fault.kind)
}

/// Waits until the sandbox stops. The server drops the wait when the caller disconnects.
async fn hang(shared: &Shared) -> Response {
    shared.closed().await;
    broken(Vec::new())
}

/// First half of an answer whose `Content-Length` announces all of it.
fn cut(whole: &str) -> Response {
    let half = Bytes::copy_from_slice(&whole.as_bytes()[..whole.len() / 2]);
    let mut response = broken(vec![half]);
    response.headers_mut().insert(header::CONTENT_LENGTH, whole.len().into());
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// Answer that breaks off after these parts. Without parts, hyper closes the connection before it writes the head.
fn broken(parts: Vec<Bytes>) -> Response {
    let begun = !parts.is_empty();
    let end = stream::once(async move {
        if begun {
            // Leaves time to send the parts.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(stream::iter(parts.into_iter().map(Ok)).chain(end)).into_response()
}

fn once() -> usize {
    1
}

fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Method>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.to_ascii_uppercase().parse().map_err(D::Error::custom)).transpose()
}
