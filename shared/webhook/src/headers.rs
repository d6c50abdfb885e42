//! Headers of a call: Switchboard's own, and the rules for those of a route.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers of the connection, or of the message's length.
const OF_CONNECTION: [HeaderName; 10] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
];
/// Headers that Switchboard sets on every call or reserves.
const OF_CALL: [&str; 5] = ["accept-encoding", "http2-settings", "traceparent", "tracestate", "user-agent"];
/// Prefixes that routes can't use. Switchboard writes the body, so `content-` headers are its own.
const RESERVED: [&str; 4] = ["content-", "webhook-", "switchboard-", "proxy-"];

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("switchboard/", env!("CARGO_PKG_VERSION")));
const ANY: HeaderValue = HeaderValue::from_static("*/*");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// A route's header as it is sent, or the reason why it is not allowed. Whitespace around the value is trimmed.
pub fn of_route(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is not a valid header name")?;
    let text = name.as_str();
    let is_ours = OF_CONNECTION.contains(&name) || OF_CALL.contains(&text);
    if is_ours || RESERVED.iter().any(|start| text.starts_with(start)) {
        return Err("is a reserved header");
    }
    let value = HeaderValue::from_str(trimmed(value)).ok().filter(|value| value.to_str().is_ok());
    Ok((name, value.ok_or("has a value that is not visible ASCII")?))
}

/// A header's value without surrounding whitespace, which is not part of it (RFC 9110, section 5.5).
pub fn trimmed(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// The headers of a call as they are sent.
pub(super) fn of_call(mut headers: HeaderMap) -> HeaderMap {
    for name in OF_CONNECTION {
        headers.remove(name);
    }
    headers.entry(header::ACCEPT).or_insert(ANY);
    headers.insert(header::ACCEPT_ENCODING, IDENTITY);
    headers.insert(header::USER_AGENT, USER_AGENT);
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_cannot_set_headers_that_describe_the_body() {
        for name in ["Content-Encoding", "content-type", "CONTENT-MD5", "Content-Length", "Accept-Encoding"] {
            assert_eq!(of_route(name, "x"), Err("is a reserved header"), "{name}");
        }
        for name in ["switchboard-hops", "Webhook-Id", "Host", "proxy-x", "TE", "User-Agent"] {
            assert_eq!(of_route(name, "x"), Err("is a reserved header"), "{name}");
        }
        assert_eq!(of_route("a b", "x"), Err("is not a valid header name"));
        assert_eq!(of_route("x-a", "caf\u{e9}"), Err("has a value that is not visible ASCII"));
    }

    #[test]
    fn whitespace_around_a_value_is_trimmed() {
        for (given, sent) in [("abc ", "abc"), (" \tabc", "abc"), ("a b\tc \t", "a b\tc"), ("  ", ""), ("abc", "abc")] {
            let (name, value) = of_route("X-Api-Key", given).unwrap();
            assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-api-key", sent), "{given:?}");
        }
    }
}
