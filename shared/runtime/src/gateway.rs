//! Requests and answers as API Gateway's HTTP API hands them to Lambda and takes them (payload format 2.0). Whatever a
//! stranger has sent, reading it does not fail: a panic would end the process.

use crate::{Code, Problem, function::Request};
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// As text an answer's quotes are escaped, so that it may take twice its size. One that would become larger than this is
/// sent in base64, which takes a third more and no more.
const MAX_ESCAPED_BYTES: usize = 5 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    request_context: Context,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
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

impl Event {
    pub fn request(self) -> Result<Request, Problem> {
        let method = Method::from_bytes(self.request_context.http.method.as_bytes());
        let text = self.body.unwrap_or_default();
        let body = match self.is_base64_encoded {
            Some(true) => BASE64
                .decode(text.as_bytes())
                .map_err(|_| Problem::new(Code::UnreadableBody, "the body is not base64, as it is said to be"))?,
            _ => text.into_bytes(),
        };
        Ok(Request {
            request_id: self.request_context.request_id,
            method: method.map_err(|_| Problem::new(Code::MethodNotAllowed, "it is no method"))?,
            path: self.raw_path.unwrap_or_default(),
            query: self.raw_query_string.unwrap_or_default(),
            headers: headers(self.headers.unwrap_or_default()),
            body: body.into(),
        })
    }
}

/// What can't be a header is left out.
fn headers(given: BTreeMap<String, String>) -> HeaderMap {
    let header = |(name, value): (String, String)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    given.into_iter().filter_map(header).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    headers: BTreeMap<String, String>,
    body: String,
    is_base64_encoded: bool,
    /// None; `cargo lambda watch` asks for the field.
    cookies: [String; 0],
}

impl From<Response<Vec<u8>>> for Answer {
    fn from(response: Response<Vec<u8>>) -> Self {
        let (parts, body) = response.into_parts();
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.entry(name.to_string()).and_modify(|all| *all = format!("{all}, {value}")).or_insert(value);
        }
        let escaped = body.len() + body.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        let (body, is_base64_encoded) = match String::from_utf8(body) {
            Ok(text) if escaped <= MAX_ESCAPED_BYTES => (text, false),
            Ok(text) => (BASE64.encode(text.as_bytes()), true),
            Err(error) => (BASE64.encode(error.as_bytes()), true),
        };
        Self { status_code: parts.status.as_u16(), headers, body, is_base64_encoded, cookies: [] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::MAX_ANSWER_BYTES;
    use serde_json::{Value, json};

    /// What Lambda hands on, in bytes.
    const LAMBDA_TAKES: usize = 6_291_556;

    fn read(event: &Value) -> Result<Request, Problem> {
        serde_json::from_value::<Event>(event.clone()).unwrap().request()
    }

    #[test]
    fn whatever_is_sent_becomes_a_request() {
        let request = read(&json!({
            "rawPath": "/hooks/a b/%zz/ü\u{0}\"<>",
            "rawQueryString": "a= <>\"{}|\\^`ü\u{0}",
            "headers": {
                "host": "no host", "x-forwarded-proto": "https, ://", "x-name": "é", "no name": "x", "x-line": "a\nb",
                "Authorization": "Bearer key",
            },
            "requestContext": { "requestId": "id", "http": { "method": "post" } },
        }))
        .unwrap();
        assert_eq!(request.path, "/hooks/a b/%zz/ü\u{0}\"<>");
        assert_eq!(request.method.as_str(), "post");
        assert_eq!(request.headers["authorization"], "Bearer key");
        assert_eq!(request.headers["x-name"].as_bytes(), "é".as_bytes());
        assert!(!request.headers.contains_key("x-line"));
        assert!(request.body.is_empty());
    }

    #[test]
    fn what_is_said_to_be_base64_is_decoded_or_refused() {
        let event = |body: &str| json!({ "requestContext": { "http": { "method": "POST" } }, "body": body, "isBase64Encoded": true });
        assert_eq!(read(&event("AP8=")).unwrap().body.as_ref(), [0, 0xff]);
        assert_eq!(read(&event("{}")).err().map(|problem| problem.code), Some(Code::UnreadableBody));
        let method = read(&json!({ "requestContext": { "http": { "method": "no method" } } }));
        assert_eq!(method.err().map(|problem| problem.code), Some(Code::MethodNotAllowed));
    }

    #[test]
    fn the_largest_answer_fits_whatever_is_in_it() {
        for (byte, encoded) in [(b'x', false), (b'"', true), (0xff, true)] {
            let answer = Answer::from(Response::new(vec![byte; MAX_ANSWER_BYTES]));
            assert_eq!(answer.is_base64_encoded, encoded);
            let length = serde_json::to_vec(&answer).unwrap().len();
            assert!(length < LAMBDA_TAKES - 100_000, "{byte}: {length}");
        }
        assert!(!Answer::from(Response::new(br#"{"a":"b"}"#.to_vec())).is_base64_encoded);
    }
}
