//! `chatbot.call-api`: any call of ChatBot's API. The token is added here, and can neither be seen nor replaced.

use crate::client::Client;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use models::{Fault, mapping::escape};
use percent_encoding::percent_decode_str;
use runtime::{
    Acting, Problem, action,
    client::{Answer, MASK, without},
};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};
use std::collections::BTreeMap;

/// What a problem carries of an answer at most: as much as Step Functions takes.
const MAX_PROBLEM_ANSWER_BYTES: usize = 256 * 1024;

action! {
    platform: "chatbot",
    name: "call-api",
    label: "Make an API Call",
    description: "Calls ChatBot's API with the connection's token. An answer that tells of failure is a problem, with \
                  the answer as it was in its `answer`, up to 256 KB.",
    effect: OfMethod,
    input: Input,
    check: check,
    records: None,
    output: || schema_for!(Output),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// The path below `https://api.chatbot.com/`, without a query: `users/segments`.
    #[schemars(length(min = 1, max = 2048))]
    path: String,
    #[schemars(extend("enum" = ["GET", "POST", "PUT", "PATCH", "DELETE"]))]
    method: String,
    /// Headers by name. Those that say who calls, where to or how are not taken.
    #[schemars(extend("maxProperties" = 50, "additionalProperties" = { "type": "string", "maxLength": 8192 }))]
    headers: Option<BTreeMap<String, String>>,
    /// Parameters by name; a list is sent as one parameter for each item.
    #[schemars(extend("maxProperties" = 100, "additionalProperties" = {
        "type": ["string", "number", "boolean", "array"],
        "maxLength": 8192,
        "maxItems": 100,
        "items": { "type": ["string", "number", "boolean"], "maxLength": 8192 }
    }))]
    query: Option<Map<String, Value>>,
    /// Sent as JSON; a text goes as it is where the headers name another content type.
    body: Option<Value>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    status: u16,
    /// By name, in lower case.
    headers: BTreeMap<String, String>,
    /// JSON where it is JSON, else a text; null where there is none.
    #[schemars(with = "Value")]
    body: Box<RawValue>,
}

fn check(input: &Value) -> Vec<Fault> {
    let path = input["path"].as_str().and_then(|path| steps(path).err()).map(|fault| Fault::new("/path", fault));
    let mut given = Vec::new();
    let headers = input["headers"].as_object().into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| {
        let fault = match header_of(name, value.as_str()?) {
            Ok((header, _)) if given.contains(&header) => "is given twice",
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

/// The steps of a path that stays below the API's base, however it is encoded.
fn steps(path: &str) -> Result<Vec<String>, &'static str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut plain = path.to_owned();
    loop {
        check_plain(&plain)?;
        let decoded = percent_decode_str(&plain).decode_utf8().map_err(|_| "is not UTF-8")?.into_owned();
        // Written in another way than it is meant, a separator would be one to whoever decodes it.
        if decoded.matches('/').count() != path.matches('/').count() {
            return Err("has an encoded /");
        }
        if decoded == plain {
            break;
        }
        plain = decoded;
    }
    let step = |step: &str| percent_decode_str(step).decode_utf8_lossy().into_owned();
    Ok(path.split('/').map(step).collect())
}

fn check_plain(path: &str) -> Result<(), &'static str> {
    let first = path.split('/').next().unwrap_or_default();
    if path.contains("//") || path.starts_with('/') {
        Err("has //")
    } else if first.contains(':') {
        Err("is a URL: give the path below the API's base")
    } else if path.contains('\\') {
        Err("has a \\")
    } else if path.chars().any(|c| c.is_control()) {
        Err("has a control character")
    } else if path.contains(['?', '#']) {
        Err("has a query or a fragment: parameters go into query")
    } else if path.split('/').any(is_dots) {
        Err("has a step of dots")
    } else {
        Ok(())
    }
}

/// Whether a step is `.` or `..`, which some servers see through a parameter too: `..;x`.
fn is_dots(step: &str) -> bool {
    matches!(step.split(';').next(), Some("." | ".."))
}

/// More of them, the last three by which some servers take another method than the request has.
const OTHERS: [&str; 5] =
    ["http2-settings", "keep-alive", "x-http-method", "x-http-method-override", "x-method-override"];

/// A header, unless it says who calls, where to or how. The answer's encoding is part of how: it has to be read here.
fn header_of(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let header: HeaderName = name.parse().map_err(|_| "is no name of a header")?;
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
    if ours.contains(&header) || OTHERS.contains(&name) || name.starts_with("proxy-") {
        return Err("is a header that can't be given");
    }
    Ok((header, value.parse().map_err(|_| "is no value of a header")?))
}

async fn run(acting: Acting<'_>, input: Input) -> Result<Output, Problem> {
    let client = Client::of(&acting)?;
    let method: Method = input.method.parse().map_err(Problem::internal)?;
    let fault = |pointer: &str, fault: &str| Problem::invalid_body(vec![Fault::new(pointer, fault)]);
    let steps = steps(&input.path).map_err(|detail| fault("/path", detail))?;
    let mut url = client.url(&steps.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, value) in input.query.iter().flatten() {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            url.query_pairs_mut().append_pair(name, &text(value));
        }
    }
    let mut headers = HeaderMap::new();
    for (name, value) in input.headers.iter().flatten() {
        let (name, value) = header_of(name, value).map_err(|detail| fault("/headers", detail))?;
        headers.insert(name, value);
    }
    let as_it_is = headers.get(header::CONTENT_TYPE).is_some_and(|kind| !kind.to_str().is_ok_and(is_json));
    let request = client.request(method.clone(), url)?;
    let request = match input.body {
        Some(Value::String(text)) if as_it_is => request.body(text),
        Some(body) => request.json(&body),
        None => request,
    };
    let answer = client.send_request(request.headers(headers)).await?;
    let (mut output, length) = (output(&answer, &client.secrets())?, answer.body.len());
    if steps.iter().any(|step| step.eq_ignore_ascii_case("webhooks")) {
        output.body = without_hooks(&output.body)?;
    }
    // Deleted by the first call, whose answer was lost.
    let is_deleted = acting.is_repeated && method == Method::DELETE && matches!(output.status, 404 | 410);
    match answer.successful(&client.secrets()) {
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

/// The answer as it is, less the token.
fn output(answer: &Answer, secrets: &[&str]) -> Result<Output, Problem> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &answer.headers {
        let value = without(&String::from_utf8_lossy(value.as_bytes()), secrets);
        headers.entry(name.to_string()).and_modify(|all| *all = format!("{all}, {value}")).or_insert(value);
    }
    let body = match RawValue::from_string(answer.text(secrets)) {
        Ok(body) => body,
        Err(_) if answer.body.is_empty() => RawValue::NULL.to_owned(),
        Err(_) => to_raw_value(&answer.text(secrets)).map_err(Problem::internal)?,
    };
    Ok(Output { status: answer.status.as_u16(), headers, body })
}

/// ChatBot's webhooks without what opens a hook: who may act may not see that.
fn without_hooks(body: &RawValue) -> Result<Box<RawValue>, Problem> {
    let body = serde_json::from_str(body.get()).unwrap_or(Value::Null);
    to_raw_value(&hooks_masked(body)).map_err(Problem::internal)
}

fn hooks_masked(value: Value) -> Value {
    let mask = |(name, value): (String, Value)| {
        let value = match (name.as_str(), value) {
            ("token", Value::String(_)) => Value::String(MASK.to_owned()),
            ("url", Value::String(url)) => Value::String(match url.rsplit_once('/') {
                Some((path, _)) if url.contains("/hooks/") => format!("{path}/{MASK}"),
                _ => url,
            }),
            (_, other) => hooks_masked(other),
        };
        (name, value)
    };
    match value {
        Value::Array(items) => items.into_iter().map(hooks_masked).collect(),
        Value::Object(fields) => Value::Object(fields.into_iter().map(mask).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_stays_below_the_base() {
        for (path, expected) in [
            ("users", vec!["users"]),
            ("/users/segments", vec!["users", "segments"]),
            ("users/a%20b", vec!["users", "a b"]),
            ("users/", vec!["users", ""]),
            ("users/...", vec!["users", "..."]),
            ("users/a:b", vec!["users", "a:b"]),
        ] {
            assert_eq!(
                steps(path).as_deref(),
                Ok(expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).as_deref()
            );
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
            assert!(steps(path).is_err(), "{path}");
        }
    }

    #[test]
    fn headers_that_say_who_calls_are_not_taken() {
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
