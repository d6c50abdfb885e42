//! Downloads of webhook bodies, byte for byte.

use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::{Schema, json_schema};
use web::{Problem, Response, respond};

/// Header with the `Content-Encoding` that was removed before the body was stored.
const ENCODING: HeaderName = HeaderName::from_static("x-switchboard-encoding");

pub fn schema() -> Schema {
    json_schema!({ "type": "string", "contentMediaType": "application/octet-stream" })
}

/// A body as a download. Its content is untrusted, so a browser must not render it.
pub fn reply(id: &str, body: Vec<u8>, encoding: Option<&str>) -> Result<Response, Problem> {
    let text = |text: &str| HeaderValue::from_str(text).map_err(Problem::internal);
    let mut headers = vec![
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, text(&format!("attachment; filename=\"{id}\""))?),
    ];
    if let Some(encoding) = encoding {
        headers.push((ENCODING, text(encoding)?));
    }
    Ok(respond::bytes(StatusCode::OK, headers, body))
}
