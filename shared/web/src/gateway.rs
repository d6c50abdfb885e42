//! Requests and answers in the form of API Gateway's HTTP API (payload format 2.0).
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//!
//! Both have `lambda_http`'s types, and requests go through its conversion. The event is parsed here and made safe before
//! that: the conversion panics on some requests that a stranger may send, for example on a space in the query, and a panic
//! ends the process. `lambda_http`'s own parser rejects headers that are not ASCII, and parses five times as much.

use crate::{Code, Problem, Request, Response, request::RequestId};
use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::{
    Body,
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    request::LambdaRequest,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// Largest answer that is sent as text, in bytes. Quotes in text are escaped, which may double an answer's size. A
/// larger one is sent in base64, which adds a third at most.
const MAX_ESCAPED_BYTES: usize = 5 * 1024 * 1024;

/// Characters that are invalid in a URI's path. <https://www.rfc-editor.org/rfc/rfc3986#section-3.3>
const NOT_IN_PATHS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'\\').add(b'`').add(b'{').add(b'}');
/// Characters that are invalid in a URI's query.
const NOT_IN_QUERIES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// Longest path with its query, in bytes. The `http` crate limits a URI to 65,534.
const MAX_URI_BYTES: usize = 65_000;

/// The fields of a request that are read: a fifth of the event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    headers: Option<Headers>,
    request_context: Context,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    request_id: Option<String>,
    http: Http,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

struct Headers(HeaderMap);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = HeaderMap;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderMap, A::Error> {
                let mut headers = HeaderMap::with_capacity(16);
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    let name = HeaderName::from_bytes(name.as_bytes()).map_err(A::Error::custom)?;
                    let value = HeaderValue::from_maybe_shared(Bytes::from(value)).map_err(A::Error::custom)?;
                    headers.append(name, value);
                }
                Ok(headers)
            }
        }
        deserializer.deserialize_map(Pairs).map(Headers)
    }
}

pub fn request(event: &RawValue) -> Result<Request, Problem> {
    let unreadable = || Problem::new(Code::UnreadableBody, "the method, the path or a header is malformed");
    // serde would accept a list in place of a struct.
    let object = event.get().starts_with('{').then(|| event.get()).ok_or_else(unreadable)?;
    // The answer omits the error, which may repeat a header.
    let mut event: Event = serde_json::from_str(object).map_err(|_| unreadable())?;
    let text = event.body.take().unwrap_or_default();
    let body = if event.is_base64_encoded {
        let decoded = BASE64.decode(text.as_bytes());
        decoded.map_err(|_| Problem::new(Code::UnreadableBody, "the body is declared as base64, but is not"))?
    } else {
        text.into_bytes()
    };
    let request_id = event.request_context.request_id.take();
    let headers = event.headers.take().map(|Headers(headers)| headers).unwrap_or_default();
    let converted: http::Request<Body> = LambdaRequest::ApiGatewayV2(event.made_safe().ok_or_else(unreadable)?).into();
    let mut request = converted.map(|_| Bytes::from(body));
    // Added after the conversion, which builds a URI from the host, and panics if that is not a host.
    *request.headers_mut() = headers;
    if let Some(id) = request_id {
        request.extensions_mut().insert(RequestId(id));
    }
    Ok(request)
}

impl Event {
    /// The event for `lambda_http`'s conversion, percent-encoded so that it can't panic. None if the path is too long or a
    /// URL parser would shorten it, and if the method is not a token.
    fn made_safe(self) -> Option<ApiGatewayV2httpRequest> {
        let path = self.raw_path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned());
        let path = utf8_percent_encode(&path, NOT_IN_PATHS).to_string();
        let query = utf8_percent_encode(&self.raw_query_string.unwrap_or_default(), NOT_IN_QUERIES).to_string();
        if !path.starts_with('/') || path.split('/').any(is_dots) || path.len() + query.len() > MAX_URI_BYTES {
            return None;
        }
        let mut event = ApiGatewayV2httpRequest::default();
        event.request_context.http.method = self.request_context.http.method.parse().ok()?;
        event.raw_path = Some(path);
        event.raw_query_string = Some(query);
        Some(event)
    }
}

/// True for a dot segment, also if it is percent-encoded: a URL parser resolves it.
/// <https://url.spec.whatwg.org/#double-dot-path-segment>
fn is_dots(segment: &str) -> bool {
    segment.starts_with(['.', '%']) && matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

pub fn answer(response: Response) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let escaped = body.len() + body.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    let body = match String::from_utf8(body) {
        Ok(text) if escaped <= MAX_ESCAPED_BYTES => Body::Text(text),
        Ok(text) => Body::Binary(text.into_bytes()),
        Err(error) => Body::Binary(error.into_bytes()),
    };
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = parts.status.as_u16().into();
    answer.headers = parts.headers;
    answer.is_base64_encoded = matches!(body, Body::Binary(_));
    answer.body = Some(body);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_ANSWER_BYTES;
    use serde_json::{Value, json, value::to_raw_value};

    /// Limit of Lambda on an answer, in bytes.
    const LAMBDA_TAKES: usize = 6_291_556;

    fn read(event: &Value) -> Result<Request, Problem> {
        request(&to_raw_value(event).unwrap())
    }

    #[test]
    fn any_event_becomes_a_request() {
        let request = read(&json!({
            "rawPath": "/hooks/a b/%zz/ü\u{0}\"<>",
            "rawQueryString": "a= <>\"{}|\\^`ü\u{0}",
            "headers": {
                "host": "no host", "x-forwarded-proto": "https, ://", "x-name": "é", "Authorization": "Bearer key",
            },
            "requestContext": { "requestId": "id", "http": { "method": "post" } },
        }))
        .unwrap();
        assert_eq!(request.uri().path(), "/hooks/a%20b/%zz/%C3%BC%00%22%3C%3E");
        assert_eq!(request.uri().query(), Some("a=%20%3C%3E%22{}|\\^`%C3%BC%00"));
        assert_eq!(request.method().as_str(), "post");
        assert_eq!(request.headers()["authorization"], "Bearer key");
        assert_eq!(request.headers()["x-name"].as_bytes(), "é".as_bytes());
        assert!(request.body().is_empty());
    }

    #[test]
    fn a_path_that_a_url_parser_would_change_is_rejected() {
        let event = |path: &str| json!({ "rawPath": path, "requestContext": { "http": { "method": "GET" } } });
        for path in ["/a/../b", "/a/.", "/%2e%2E/a", "/.%2e", "a", "http://host/", &"/a".repeat(40_000)] {
            assert_eq!(read(&event(path)).err().map(|problem| problem.code), Some(Code::UnreadableBody), "{path}");
        }
        for path in ["/a\\b", "//host/a", "/...", "/a%2e", "/%", "/a|b^c[]{}"] {
            assert!(read(&event(path)).unwrap().uri().path().starts_with('/'), "{path}");
        }
    }

    #[test]
    fn a_base64_body_is_decoded_or_rejected() {
        let event = |body: &str| json!({ "requestContext": { "http": { "method": "POST" } }, "body": body, "isBase64Encoded": true });
        assert_eq!(read(&event("AP8=")).unwrap().body().as_ref(), [0, 0xff]);
        assert_eq!(read(&event("{}")).err().map(|problem| problem.code), Some(Code::UnreadableBody));
    }

    #[test]
    fn the_largest_answer_fits_with_any_content() {
        for (byte, encoded) in [(b'x', false), (b'"', true), (0xff, true)] {
            let handed_on = answer(Response::new(vec![byte; MAX_ANSWER_BYTES]));
            assert_eq!(handed_on.is_base64_encoded, encoded);
            let length = serde_json::to_vec(&handed_on).unwrap().len();
            assert!(length < LAMBDA_TAKES - 100_000, "{byte}: {length}");
        }
        assert!(!answer(Response::new(br#"{"a":"b"}"#.to_vec())).is_base64_encoded);
    }
}
