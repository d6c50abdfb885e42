//! Wire format of MCP Events, in the places where its drafts differ: the codes of errors, and the `webhook-id` of an event.
//! Clients follow the draft of autumn 2026.
//! <https://github.com/modelcontextprotocol/modelcontextprotocol/pull/3415>

use http::HeaderName;
use models::{Envelope, EventId, RouteId, Timestamp};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use webhook::Secret;

/// Codes of JSON-RPC errors.
pub const NOT_FOUND: i64 = -32011;
pub const FORBIDDEN: i64 = -32012;
pub const RESOURCE_EXHAUSTED: i64 = -32013;
pub const UNSUPPORTED: i64 = -32014;
pub const CALLBACK_ENDPOINT: i64 = -32015;

/// Header with the id of the subscription.
pub const SUBSCRIPTION_ID: HeaderName = HeaderName::from_static("x-mcp-subscription-id");

/// Waits between the attempts of a delivery, in seconds: five attempts in a quarter of an hour.
pub const RETRY_SECONDS: [u64; 4] = [10, 50, 180, 540];

/// Largest `data` of an event, in bytes of JSON. A body may have 256 KiB.
const MAX_DATA_BYTES: usize = 255 * 1024;

/// Body of a delivery. `type` at its root would make it a control message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    event_id: &'a EventId,
    name: &'a str,
    timestamp: Timestamp,
    data: Box<RawValue>,
    /// Null: there is no replay.
    cursor: Option<&'static str>,
}

/// The body for an event.
pub fn body(event: Envelope<'_>) -> Result<Box<RawValue>, serde_json::Error> {
    let (id, name, timestamp) = (event.id.clone(), event.event_type.clone(), event.time);
    let data = event.data_without_body(MAX_DATA_BYTES)?;
    to_raw_value(&Event { event_id: &id, name: &name, timestamp, data, cursor: None })
}

/// The `webhook-id` of an event's deliveries: the event's own id, by which clients drop duplicates.
pub fn message_id(event: &EventId) -> &str {
    event.as_str()
}

/// The headers that sign a request to a subscription's endpoint.
pub fn headers(
    subscription: &RouteId,
    secrets: &[Secret],
    message_id: &str,
    now: Timestamp,
    body: &[u8],
) -> Result<http::HeaderMap, http::header::InvalidHeaderValue> {
    let mut headers = webhook::headers(secrets, message_id, now.seconds(), body)?;
    headers.insert(SUBSCRIPTION_ID, http::HeaderValue::try_from(subscription.as_str())?);
    Ok(headers)
}
