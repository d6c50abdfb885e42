//! Protocol versions. A request of revision 2026-07-28 states its version in the body's `_meta` and in a header, and
//! repeats its method in a header. Requests without that follow the handshake of the older revisions.

use crate::message::{Message, RpcError};
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName};
use serde_json::Value;
use std::borrow::Cow;

pub const MODERN: &str = "2026-07-28";
/// The newest first.
pub const LEGACY: [&str; 2] = ["2025-11-25", "2025-06-18"];
pub const SUPPORTED: [&str; 3] = [MODERN, LEGACY[0], LEGACY[1]];

const VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
const NAME_HEADER: HeaderName = HeaderName::from_static("mcp-name");
const VERSION_FIELD: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_FIELD: &str = "io.modelcontextprotocol/clientCapabilities";

/// The rules that a request follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Revision 2026-07-28.
    Modern,
    /// The revisions with a handshake.
    Legacy,
}

/// The era of a message, whose headers and `_meta` must agree.
pub fn era(headers: &HeaderMap, message: &Message) -> Result<Era, RpcError> {
    let header = text(headers, &VERSION_HEADER)?;
    let meta = message.params.get("_meta");
    let stated = meta.and_then(|meta| meta.get(VERSION_FIELD));
    let version = match (header, stated) {
        (None, None) => return Ok(Era::Legacy),
        (Some(header), None) if header == MODERN && message.id.is_some() => {
            return Err(RpcError::incomplete_meta(&format!("params._meta must hold {VERSION_FIELD}")));
        }
        (Some(header), None) => header,
        (None, Some(_)) => return Err(RpcError::header_mismatch(format!("the header {VERSION_HEADER} is missing"))),
        (Some(header), Some(stated)) if stated.as_str() != Some(header) => {
            return Err(RpcError::header_mismatch(format!("the header {VERSION_HEADER} differs from {VERSION_FIELD}")));
        }
        (Some(header), Some(_)) => header,
    };
    if LEGACY.contains(&version) {
        return Ok(Era::Legacy);
    }
    if version != MODERN {
        return Err(RpcError::unsupported_version(&SUPPORTED, version));
    }
    if message.id.is_some() {
        check_modern(headers, message, meta)?;
    }
    Ok(Era::Modern)
}

fn check_modern(headers: &HeaderMap, message: &Message, meta: Option<&Value>) -> Result<(), RpcError> {
    match text(headers, &METHOD_HEADER)? {
        Some(method) if method == message.method => {}
        Some(_) => {
            return Err(RpcError::header_mismatch(format!("the header {METHOD_HEADER} differs from the method")));
        }
        None => return Err(RpcError::header_mismatch(format!("the header {METHOD_HEADER} is missing"))),
    }
    if !meta.and_then(|meta| meta.get(CAPABILITIES_FIELD)).is_some_and(Value::is_object) {
        return Err(RpcError::incomplete_meta(&format!("params._meta must hold {CAPABILITIES_FIELD}, an object")));
    }
    let name = message.params.get("name").and_then(Value::as_str);
    match (message.method.as_str(), name, text(headers, &NAME_HEADER)?) {
        ("tools/call", _, None) => Err(RpcError::header_mismatch(format!("the header {NAME_HEADER} is missing"))),
        ("tools/call", Some(name), Some(header)) if decoded(header).as_deref() != Some(name) => {
            Err(RpcError::header_mismatch(format!("the header {NAME_HEADER} differs from params.name")))
        }
        _ => Ok(()),
    }
}

/// A header that may be given once.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, RpcError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str());
    match (first, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text)),
        _ => Err(RpcError::header_mismatch(format!("the header {name} must be one ASCII text"))),
    }
}

/// A name that is not ASCII is sent as `=?base64?…?=`.
fn decoded(header: &str) -> Option<Cow<'_, str>> {
    match header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => String::from_utf8(BASE64.decode(encoded.as_bytes()).ok()?).ok().map(Cow::Owned),
        None => Some(Cow::Borrowed(header)),
    }
}
