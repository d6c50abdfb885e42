//! HTTP for functions: routes, requests and answers, problems (RFC 9457), strict input by JSON Schema, and API
//! Gateway's events. Architecture invariant: no code here knows a table, an AWS client or a platform.

mod admission;
pub mod compression;
pub mod cursor;
pub mod encoding;
pub mod function;
pub mod gateway;
mod inner;
pub mod input;
mod invoke;
mod outcome;
pub mod problem;
pub mod request;
pub mod respond;
pub mod retry;
mod router;
pub mod schema;
pub mod settings;

pub use admission::{Admission, ReceivedBody};
pub use function::{Access, Body, Function, Handler, Handling, Query, QueryValue, Route};
pub use inner::{InnerCall, call_directly, call_route};
pub use invoke::{InvocationError, invoke};
pub use outcome::{AnswerLog, log_cause, refuse};
pub use problem::{Code, Problem};
pub use request::{Request, RequestExt};
pub use respond::Response;
pub use retry::Retry;
pub use router::{Router, Service};

use http::HeaderName;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const EVENT_HEADER: HeaderName = HeaderName::from_static("x-switchboard-event");
/// Number of routes in a row that led to a webhook call. It ends loops of routes to their own hooks.
pub const HOPS_HEADER: HeaderName = HeaderName::from_static("switchboard-hops");

/// Largest body of a webhook, in bytes.
pub const MAX_WEBHOOK_BODY_BYTES: usize = 256 * 1024;
/// Largest body of an API call, in bytes.
pub const MAX_API_BODY_BYTES: usize = 1024 * 1024;
/// Largest answer in bytes. Lambda accepts 6 MB, which includes the growth by base64.
pub const MAX_ANSWER_BYTES: usize = 4_500_000;
