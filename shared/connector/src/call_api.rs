//! An action that makes any call of a platform's API. The token is added here, and can be neither seen nor replaced.

use crate::bearer_api::BearerApi;
use client::{
    Answer,
    mask::{Secrets, without, without_hooks},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use models::Fault;
use payload::mapping::escape;
use percent_encoding::percent_decode_str;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};
use std::collections::BTreeMap;
use web::Problem;

/// Largest platform answer in a problem, in bytes: Step Functions' limit.
const MAX_PROBLEM_ANSWER_BYTES: usize = 256 * 1024;

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Input {
    /// The path below the API's base URL, without a query. Percent-encoded characters are sent unchanged.
    #[schemars(length(min = 1, max = 2048))]
    path: String,
    #[schemars(extend("enum" = ["GET", "POST", "PUT", "PATCH", "DELETE"]))]
    method: String,
    /// Headers by name. Headers for authentication, routing or the connection are not allowed, nor `Content-…` except a
    /// `Content-Type` that fits the body.
    #[schemars(extend("maxProperties" = 50, "additionalProperties" = { "type": "string", "maxLength": 8192 }))]
    headers: Option<BTreeMap<String, String>>,
    /// Parameters by name, not encoded; a list is sent as one parameter per item.
    #[schemars(extend("maxProperties" = 100, "additionalProperties" = {
        "type": ["string", "number", "boolean", "array"],
        "maxLength": 8192,
        "maxItems": 100,
        "items": { "type": ["string", "number", "boolean"], "maxLength": 8192 }
    }))]
    query: Option<Map<String, Value>>,
    /// Sent as JSON. A text is sent unchanged if the headers name another content type.
    body: Option<Value>,
}

#[derive(Serialize, JsonSchema)]
pub struct Output {
    status: u16,
    /// By name, in lower case.
    headers: BTreeMap<String, String>,
    /// JSON if the body is JSON, else a text; null without a body.
    #[schemars(with = "Value")]
    body: Box<RawValue>,
}

pub fn output_schema() -> Schema {
    schema_for!(Output)
}

/// Checks the path and the headers of an input.
pub fn check(input: &Value) -> Vec<Fault> {
    let path = input["path"].as_str().and_then(|path| encoded(path).err()).map(|fault| Fault::new("/path", fault));
    let mut given = Vec::new();
    let headers = input["headers"].as_object().into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| {
        let fault = match header_of(name, value.as_str()?) {
            Ok((header, _)) if given.contains(&header) => "must not be repeated",
            Ok((header::CONTENT_TYPE, value)) if !fits(&value, &input["body"]) => {
                "must fit the body: a text is sent in UTF-8, any other body as JSON"
            }
            Ok((header, _)) => {
                given.push(header);
                return None;
            }
            Err(fault) => fault,
        };
        Some(Fault::new(format!("/headers/{}", escape(name)), fault))
    });
    path.into_iter().chain(headers).collect()
}

/// True if a content type fits the body: UTF-8, and JSON unless the body is a text.
fn fits(content_type: &HeaderValue, body: &Value) -> bool {
    let text = String::from_utf8_lossy(content_type.as_bytes()).to_ascii_lowercase();
    let mut parameters = text.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let charset =
        parameters.find(|(name, _)| name.trim() == "charset").map(|(_, value)| value.trim_matches(['"', ' ']));
    let is_ours = charset.is_none_or(|charset| matches!(charset, "utf-8" | "utf8" | "us-ascii"));
    is_ours && (body.is_null() || body.is_string() || is_json(&text))
}

/// The path as it is sent. It must stay below the API's base even if it is decoded several times. Percent-encoded
/// characters are kept, because `%3B` and `;` may have different meanings.
fn encoded(path: &str) -> Result<String, &'static str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut plain = path.to_owned();
    loop {
        check_plain(&plain)?;
        let decoded = percent_decode_str(&plain).decode_utf8().map_err(|_| "is not UTF-8")?.into_owned();
        // A server that decodes the path would read an encoded `/` as a separator.
        if decoded.matches('/').count() != path.matches('/').count() {
            return Err("must not contain an encoded /");
        }
        if decoded == plain {
            break;
        }
        plain = decoded;
    }
    Ok(with_percent_signs_encoded(path))
}

/// A path in which each `%` without a valid code becomes `%25`. The URL encodes the rest.
fn with_percent_signs_encoded(path: &str) -> String {
    let is_code = |text: &str| text.get(..2).is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let mut parts = path.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| path + if is_code(part) { "%" } else { "%25" } + part)
}

fn check_plain(path: &str) -> Result<(), &'static str> {
    let first = path.split('/').next().unwrap_or_default();
    if path.contains("//") || path.starts_with('/') {
        Err("has //")
    } else if first.contains(':') {
        Err("must be a path below the API's base, not a URL")
    } else if path.contains('\\') {
        Err("must not contain \\")
    } else if path.chars().any(|c| c.is_control()) {
        Err("must not contain a control character")
    } else if path.contains(['?', '#']) {
        Err("must not contain a query or a fragment; use `query` for parameters")
    } else if path.split('/').any(is_dots) {
        Err("must not contain the segments `.` or `..`")
    } else {
        Ok(())
    }
}

/// True for a segment `.` or `..`. Some servers also read `..;x` as one.
fn is_dots(step: &str) -> bool {
    matches!(step.split(';').next(), Some("." | ".."))
}

/// Further headers that are not allowed. With the last three, some servers replace the request's method.
const OTHERS: [&str; 5] =
    ["http2-settings", "keep-alive", "x-http-method", "x-http-method-override", "x-method-override"];

/// A header with whitespace around its value trimmed. Headers for authentication, routing and framing are not allowed,
/// nor those for encodings, which Switchboard handles itself.
fn header_of(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let header: HeaderName = name.parse().map_err(|_| "is not a valid header name")?;
    let ours = [
        header::ACCEPT_ENCODING,
        header::AUTHORIZATION,
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::COOKIE,
        header::EXPECT,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let name = header.as_str();
    let is_of_body = name.starts_with("content-") && header != header::CONTENT_TYPE;
    if ours.contains(&header) || OTHERS.contains(&name) || name.starts_with("proxy-") || is_of_body {
        return Err("is a reserved header");
    }
    let value = value.trim_matches([' ', '\t']);
    Ok((header, value.parse().map_err(|_| "is not a valid header value")?))
}

/// Makes the call. `is_repeated` is that of the action's context.
pub async fn run(api: &BearerApi<'_>, is_repeated: bool, input: Input) -> Result<Output, Problem> {
    let method: Method = input.method.parse().map_err(Problem::internal)?;
    let fault = |pointer: &str, fault: &str| Problem::invalid_body(vec![Fault::new(pointer, fault)]);
    let mut url = api.url_of(&encoded(&input.path).map_err(|detail| fault("/path", detail))?);
    for (name, value) in input.query.iter().flatten() {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            url.query_pairs_mut().append_pair(name, &text(value));
        }
    }
    let (mut headers, mut secrets) = (HeaderMap::new(), Secrets::default());
    for (name, value) in input.headers.iter().flatten() {
        let (name, value) = header_of(name, value).map_err(|detail| fault("/headers", detail))?;
        secrets.add_credential(name.as_str(), value.to_str().unwrap_or_default());
        headers.insert(name, value);
    }
    let as_it_is = headers.get(header::CONTENT_TYPE).is_some_and(|kind| !kind.to_str().is_ok_and(is_json));
    let is_empty = input.body.is_none() && matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let request = api.request(method.clone(), url)?;
    let request = match input.body {
        Some(Value::String(text)) if as_it_is => request.body(text),
        Some(body) => request.json(&body),
        // Some servers answer 411 to a POST, PUT or PATCH without a length.
        None if is_empty => request.header(header::CONTENT_LENGTH, 0),
        None => request,
    };
    let mut answer = api.send_request(request.headers(headers)).await?;
    let secrets = api.secrets().into_iter().chain(secrets.as_strs()).collect::<Vec<_>>();
    answer.body = without_hooks(&answer.text(&secrets)).into();
    let (output, length) = (output(&answer, &secrets)?, answer.body.len());
    // The first call, whose answer was lost, has deleted it.
    let is_deleted = is_repeated && method == Method::DELETE && matches!(output.status, 404 | 410);
    match answer.successful(&secrets) {
        Ok(_) => Ok(output),
        Err(_) if is_deleted => Ok(output),
        Err(problem) if length > MAX_PROBLEM_ANSWER_BYTES => Err(problem),
        Err(problem) => {
            let answer = serde_json::to_value(output).ok().map(Box::new);
            Err(Problem { answer, ..problem })
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

/// The answer with secrets masked in its headers; the body is masked already.
fn output(answer: &Answer, secrets: &[&str]) -> Result<Output, Problem> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &answer.headers {
        let value = without_hooks(&without(&String::from_utf8_lossy(value.as_bytes()), secrets));
        headers.entry(name.to_string()).and_modify(|all| *all = format!("{all}, {value}")).or_insert(value);
    }
    let text = answer.text(&[]);
    let body = match RawValue::from_string(text.clone()) {
        Ok(body) => body,
        Err(_) if text.is_empty() => RawValue::NULL.to_owned(),
        Err(_) => to_raw_value(&text).map_err(Problem::internal)?,
    };
    Ok(Output { status: answer.status.as_u16(), headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_stays_below_the_base() {
        for (path, expected) in [
            ("users", "users"),
            ("/users/segments", "users/segments"),
            ("users/a%20b", "users/a%20b"),
            ("users/a%3Bb", "users/a%3Bb"),
            ("users/", "users/"),
            ("users/...", "users/..."),
            ("users/a:b", "users/a:b"),
            ("users/100%", "users/100%25"),
            ("users/%zz%4", "users/%25zz%254"),
        ] {
            assert_eq!(encoded(path).as_deref(), Ok(expected));
        }
        for path in [
            "https://example.com/",
            "//example.com",
            "/%2fexample.com",
            "%2F%2Fexample.com",
            "\\\\example.com",
            "users/..",
            "../users",
            "users/%2e%2e/x",
            "users/%252e%252e/x",
            "users/.%2E",
            "users/..;a/x",
            "users/.",
            "users/%5c..",
            "users%2f..%2fx",
            "users/%25252e%25252e",
            "users\n",
            "users%0d%0ax",
            "users%00",
            "users?a=b",
            "users%3fa=b",
            "users#a",
            "users//x",
            "users/%ff",
            "javascript:x",
            "a%3a/b",
            "users/%2f",
        ] {
            assert!(encoded(path).is_err(), "{path}");
        }
    }

    #[test]
    fn headers_that_identify_the_caller_are_rejected() {
        let input = json!({ "path": "users", "headers": {
            "Authorization": "x", "HOST": "x", "Proxy-Authorization": "x", "proxy-anything": "x", "Connection": "x",
            "Keep-Alive": "x", "TE": "x", "Trailer": "x", "Transfer-Encoding": "x", "Upgrade": "x", "Content-Length": "1",
            "a b": "x", "X-Bad": "a\r\nb", "X-Fine": "x", "Accept": "text/html", "Accept-Encoding": "gzip", "accept": "x",
        }});
        let faults = check(&input);
        assert_eq!(faults.len(), 15, "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.pointer.ends_with("Fine") && !fault.pointer.ends_with("Accept")));
    }
}
