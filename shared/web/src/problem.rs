//! Errors as the API returns them: RFC 9457 problem details, with one [`Code`] per meaning.

#[cfg(test)]
mod tests;

use crate::retry::Retry;
use http::{HeaderName, HeaderValue, StatusCode, header};
pub use models::Fault;
use models::{Failure, FailureKind, causes, failure::Service};
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use std::error::Error;

/// Wait after a 429 without a `Retry-After`, in seconds.
const SLOW_DOWN_SECONDS: u64 = 10;

/// Error code, stable across releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    BadJson,
    UnreadableBody,
    UnsupportedEncoding,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotInvocable,
    RequestTimeout,
    Conflict,
    ConnectionInUse,
    HookInUse,
    TooManySecrets,
    LastAdminKey,
    BodyTooLarge,
    InvalidBody,
    InvalidQuery,
    ConnectionMismatch,
    CredentialsMissing,
    FilterUnsupported,
    IdempotencyKeyReused,
    IdempotencyInFlight,
    OutcomeUnknown,
    PlatformRejected,
    ConnectionUnauthorized,
    PlatformSlowDown,
    PlatformUnavailable,
    PlatformTimeout,
    AnswerTooLarge,
    PartlyDone,
    HookUnreachable,
    Internal,
    StoreUnavailable,
    MetricsUnavailable,
    Unfinished,
}

impl Code {
    pub const ALL: [Self; 35] = [
        Self::BadJson,
        Self::UnreadableBody,
        Self::UnsupportedEncoding,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotInvocable,
        Self::RequestTimeout,
        Self::Conflict,
        Self::ConnectionInUse,
        Self::HookInUse,
        Self::TooManySecrets,
        Self::LastAdminKey,
        Self::BodyTooLarge,
        Self::InvalidBody,
        Self::InvalidQuery,
        Self::ConnectionMismatch,
        Self::CredentialsMissing,
        Self::FilterUnsupported,
        Self::IdempotencyKeyReused,
        Self::IdempotencyInFlight,
        Self::OutcomeUnknown,
        Self::PlatformRejected,
        Self::ConnectionUnauthorized,
        Self::PlatformSlowDown,
        Self::PlatformUnavailable,
        Self::PlatformTimeout,
        Self::AnswerTooLarge,
        Self::PartlyDone,
        Self::HookUnreachable,
        Self::Internal,
        Self::StoreUnavailable,
        Self::MetricsUnavailable,
        Self::Unfinished,
    ];

    /// Status, name and title of a code.
    const fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadJson => (StatusCode::BAD_REQUEST, "bad_json", "The body is not JSON"),
            Self::UnreadableBody => (StatusCode::BAD_REQUEST, "unreadable_body", "The body is neither JSON nor a form"),
            Self::UnsupportedEncoding => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", "The body's encoding is not supported")
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "A key or token is needed"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "The key's scope is not sufficient"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The route does not support this method")
            }
            Self::NotInvocable => {
                (StatusCode::METHOD_NOT_ALLOWED, "not_invocable", "The function can't be invoked directly")
            }
            Self::RequestTimeout => {
                (StatusCode::REQUEST_TIMEOUT, "request_timeout", "The request took too long to arrive")
            }
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "The request conflicts with the current state"),
            Self::ConnectionInUse => (StatusCode::CONFLICT, "connection_in_use", "The connection is in use"),
            Self::HookInUse => (StatusCode::CONFLICT, "hook_in_use", "The hook is in use"),
            Self::TooManySecrets => (StatusCode::CONFLICT, "too_many_secrets", "Too many secrets are valid"),
            Self::LastAdminKey => (StatusCode::CONFLICT, "last_admin_key", "The key is the last of scope admin"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large"),
            Self::InvalidBody => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", "The body is invalid"),
            Self::InvalidQuery => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_query", "A query parameter is invalid"),
            Self::ConnectionMismatch => {
                (StatusCode::UNPROCESSABLE_ENTITY, "connection_mismatch", "The connection belongs to another platform")
            }
            Self::CredentialsMissing => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "credentials_missing",
                "The connection lacks credentials that the action needs",
            ),
            Self::FilterUnsupported => {
                (StatusCode::UNPROCESSABLE_ENTITY, "filter_unsupported", "A filter can't be applied")
            }
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The idempotency key was used with another body",
            ),
            Self::IdempotencyInFlight => {
                (StatusCode::CONFLICT, "idempotency_in_flight", "A call with this idempotency key is under way")
            }
            Self::OutcomeUnknown => (
                StatusCode::CONFLICT,
                "outcome_unknown",
                "The outcome of the first call with this idempotency key is unknown",
            ),
            Self::PlatformRejected => {
                (StatusCode::UNPROCESSABLE_ENTITY, "platform_rejected", "The platform rejected the request")
            }
            Self::ConnectionUnauthorized => (
                StatusCode::FAILED_DEPENDENCY,
                "connection_unauthorized",
                "The platform rejected the connection's credentials",
            ),
            Self::PlatformSlowDown => {
                (StatusCode::TOO_MANY_REQUESTS, "platform_slow_down", "The platform asks for fewer requests")
            }
            Self::PlatformUnavailable => (
                StatusCode::BAD_GATEWAY,
                "platform_unavailable",
                "The platform is unavailable or its answer is invalid",
            ),
            Self::PlatformTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "platform_timeout", "The platform did not answer in time")
            }
            Self::AnswerTooLarge => (StatusCode::BAD_GATEWAY, "answer_too_large", "The answer is too large to pass on"),
            Self::PartlyDone => (StatusCode::BAD_GATEWAY, "partly_done", "The call was partly done"),
            Self::HookUnreachable => {
                (StatusCode::BAD_GATEWAY, "hook_unreachable", "The hook's URL could not be reached")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::StoreUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "The store is unavailable")
            }
            Self::MetricsUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "metrics_unavailable", "The metrics are unavailable")
            }
            Self::Unfinished => (StatusCode::SERVICE_UNAVAILABLE, "unfinished", "The work takes more than one call"),
        }
    }

    pub const fn status(self) -> StatusCode {
        self.facts().0
    }

    pub const fn as_str(self) -> &'static str {
        self.facts().1
    }

    pub const fn title(self) -> &'static str {
        self.facts().2
    }

    /// The default retry verdict of a code.
    const fn retry(self) -> Retry {
        match self {
            Self::RequestTimeout
            | Self::PlatformUnavailable
            | Self::PlatformTimeout
            | Self::HookUnreachable
            | Self::Unfinished => Retry::SOON,
            Self::StoreUnavailable | Self::MetricsUnavailable => Retry::After(1),
            Self::PlatformSlowDown => Retry::After(SLOW_DOWN_SECONDS),
            Self::IdempotencyInFlight => Retry::Running,
            // The first call with the key may have been done. An internal error may occur before or after a call.
            Self::OutcomeUnknown | Self::IdempotencyKeyReused | Self::PartlyDone | Self::Internal => Retry::Unknown,
            Self::AnswerTooLarge => Retry::Done,
            Self::BadJson
            | Self::UnreadableBody
            | Self::UnsupportedEncoding
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::NotInvocable
            | Self::Conflict
            | Self::ConnectionInUse
            | Self::HookInUse
            | Self::TooManySecrets
            | Self::LastAdminKey
            | Self::BodyTooLarge
            | Self::InvalidBody
            | Self::InvalidQuery
            | Self::ConnectionMismatch
            | Self::CredentialsMissing
            | Self::FilterUnsupported
            | Self::PlatformRejected
            | Self::ConnectionUnauthorized => Retry::Never,
        }
    }
}

/// An error with its answer. Everything but `source` goes to the caller; `source` goes only to the log.
#[derive(Debug)]
pub struct Problem {
    pub code: Code,
    pub detail: String,
    pub errors: Vec<Fault>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub retry: Retry,
    /// The platform's answer, if the caller requested it unchanged.
    pub answer: Option<Box<Value>>,
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// The one table from errors of the layers that know no HTTP to the answer.
impl<E: Failure> From<E> for Problem {
    fn from(error: E) -> Self {
        let unavailable = |service: &str| format!("{service} is unavailable; retry");
        match error.kind() {
            FailureKind::Conflict => {
                Self::new(Code::Conflict, "another change came first; read the current state and repeat your change")
                    .retried(Retry::After(1))
            }
            FailureKind::StoreUnavailable(Service::DynamoDb) => {
                Self::new(Code::StoreUnavailable, unavailable("the database")).caused_by(error)
            }
            // Nothing was sealed or decrypted, so a retry repeats nothing.
            FailureKind::StoreUnavailable(Service::Kms) => {
                Self::new(Code::StoreUnavailable, unavailable("KMS")).caused_by(error)
            }
            FailureKind::MetricsUnavailable => {
                Self::new(Code::MetricsUnavailable, unavailable("CloudWatch")).caused_by(error)
            }
            FailureKind::Internal => Self::internal(error),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
    retry: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a Value>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
            retry: code.retry(),
            answer: None,
            source: None,
        }
    }

    /// A call that was partly done. A retry would repeat the finished part.
    pub fn partly_done(detail: impl Into<String>) -> Self {
        Self::new(Code::PartlyDone, detail)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {what}"))
    }

    pub fn invalid_body(errors: Vec<Fault>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => format!("the body: {}", one.detail),
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} faults; see `errors`", many.len()),
        };
        Self { errors, ..Self::new(Code::InvalidBody, detail) }
    }

    pub fn invalid_query(parameter: &str, detail: &str) -> Self {
        let errors = vec![Fault::new(parameter, detail)];
        Self { errors, ..Self::new(Code::InvalidQuery, format!("{parameter}: {detail}")) }
    }

    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "find the cause in the log, by this problem's `instance`").caused_by(source)
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    #[must_use]
    pub const fn retried(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Marks an internal error that was raised before anything was done.
    #[must_use]
    pub fn with_nothing_done(self) -> Self {
        if self.code == Code::Internal { self.retried(Retry::SOON) } else { self }
    }

    pub fn unauthorized(detail: &str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"switchboard\"");
        Self::new(Code::Unauthorized, detail).with_header(header::WWW_AUTHENTICATE, challenge)
    }

    /// The problem as JSON, for the request that it answers.
    pub fn to_json(&self, request_id: &str) -> Vec<u8> {
        let body = Body {
            r#type: format!("urn:switchboard:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            instance: request_id,
            code: self.code.as_str(),
            errors: &self.errors,
            retry: self.retry.as_str(),
            retry_after: self.retry.seconds(),
            answer: self.answer.as_deref(),
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Parses the JSON of [`Problem::to_json`].
    pub fn from_json(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let code = Code::ALL.into_iter().find(|code| body["code"] == code.as_str())?;
        let retry = match body["retry"].as_str() {
            Some(name) => Retry::parse(name, body["retry_after"].as_u64())?,
            // Written by a release without verdicts.
            None if body["outcome"] == "unknown" => Retry::Unknown,
            None => code.retry(),
        };
        Some(Self {
            errors: Vec::deserialize(&body["errors"]).unwrap_or_default(),
            retry,
            answer: body.get("answer").cloned().map(Box::new),
            ..Self::new(code, body["detail"].as_str()?)
        })
    }

    /// The chain of causes, for the log.
    pub fn causes(&self) -> String {
        self.source.as_ref().map_or_else(String::new, |source| causes(source.as_ref()))
    }
}
