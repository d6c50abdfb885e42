//! Requests and answers in the form of API Gateway's HTTP API (payload format 2.0).
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//!
//! An answer has `lambda_http`'s type. A request has not: `lambda_http` panics on some requests that a stranger may
//! send, for example on a space in the query, and a panic ends the process. It also parses all of an event.

use crate::{Code, Problem, Request, Response, request::RequestId};
use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri::PathAndQuery};
use lambda_http::{Body, aws_lambda_events::apigw::ApiGatewayV2httpResponse};
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
const NOT_IN_PATHS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`');
/// Characters that are invalid in a URI's query.
const NOT_IN_QUERIES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

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
    let event: Event = serde_json::from_str(object).map_err(|_| unreadable())?;
    let text = event.body.unwrap_or_default();
    let body = if event.is_base64_encoded {
        let decoded = BASE64.decode(text.as_bytes());
        decoded.map_err(|_| Problem::new(Code::UnreadableBody, "the body is declared as base64, but is not"))?
    } else {
        text.into_bytes()
    };
    let mut request = Request::new(body.into());
    *request.method_mut() = event.request_context.http.method.parse().map_err(|_| unreadable())?;
    *request.uri_mut() = uri(event.raw_path, event.raw_query_string).ok_or_else(unreadable)?;
    *request.headers_mut() = event.headers.map(|Headers(headers)| headers).unwrap_or_default();
    if let Some(id) = event.request_context.request_id {
        request.extensions_mut().insert(RequestId(id));
    }
    Ok(request)
}

/// Builds a URI from a path and a query. API Gateway passes on characters that are invalid in a URI; they are
/// percent-encoded.
fn uri(path: Option<String>, query: Option<String>) -> Option<Uri> {
    let path = path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned());
    let path = utf8_percent_encode(&path, NOT_IN_PATHS);
    let query = query.filter(|query| !query.is_empty());
    let text = match &query {
        Some(query) => format!("{path}?{}", utf8_percent_encode(query, NOT_IN_QUERIES)),
        None => path.to_string(),
    };
    PathAndQuery::try_from(text).ok().map(Uri::from)
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
    fn whatever_is_sent_becomes_a_request() {
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
    fn what_is_said_to_be_base64_is_decoded_or_refused() {
        let event = |body: &str| json!({ "requestContext": { "http": { "method": "POST" } }, "body": body, "isBase64Encoded": true });
        assert_eq!(read(&event("AP8=")).unwrap().body().as_ref(), [0, 0xff]);
        assert_eq!(read(&event("{}")).err().map(|problem| problem.code), Some(Code::UnreadableBody));
    }

    #[test]
    fn the_largest_answer_fits_whatever_is_in_it() {
        for (byte, encoded) in [(b'x', false), (b'"', true), (0xff, true)] {
            let handed_on = answer(Response::new(vec![byte; MAX_ANSWER_BYTES]));
            assert_eq!(handed_on.is_base64_encoded, encoded);
            let length = serde_json::to_vec(&handed_on).unwrap().len();
            assert!(length < LAMBDA_TAKES - 100_000, "{byte}: {length}");
        }
        assert!(!answer(Response::new(br#"{"a":"b"}"#.to_vec())).is_base64_encoded);
    }
}
