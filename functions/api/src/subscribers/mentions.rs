//! Search for a person in the body of a rejected call.

use payload::body;
use serde_json::Value;
use store::events::RejectedCall;

/// True if a call's body contains a text: as received, parsed, or with JSON's escapes decoded.
pub fn mentions(call: &RejectedCall, text: &str) -> bool {
    let Some(body) = &call.body else { return false };
    // A body that is nested too deep or declared wrongly is searched as well.
    let content_type = call.content_type.as_deref();
    let format =
        body::read(body, content_type).map_or_else(|_| body::declared(body, content_type), |(format, _)| format);
    let decoded = format.charset.decode_lossy(body);
    contains_text(&body::reread(body, format).0, text)
        || decoded.contains(text)
        || without_escapes(&decoded).contains(text)
        || String::from_utf8_lossy(body).contains(text)
}

fn contains_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value.contains(text),
        Value::Array(values) => values.iter().any(|value| contains_text(value, text)),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains(text) || contains_text(value, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A text with JSON's escapes decoded, for JSON that was cut short: `\u00e9`, `\/`.
fn without_escapes(text: &str) -> String {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        units.extend(rest[..at].encode_utf16());
        rest = &rest[at + 1..];
        match rest.get(1..5).filter(|_| rest.starts_with('u')).and_then(|hex| u16::from_str_radix(hex, 16).ok()) {
            Some(unit) => {
                units.push(unit);
                rest = &rest[5..];
            }
            None => {
                let length = rest.chars().next().map_or(0, char::len_utf8);
                units.extend(rest[..length].encode_utf16());
                rest = &rest[length..];
            }
        }
    }
    units.extend(rest.encode_utf16());
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_escapes_are_decoded_in_any_text() {
        for (text, undone) in [
            (r#"{"n":"Zo\u00eb","#, "{\"n\":\"Zoë\","),
            (r"org\/77001", "org/77001"),
            (r"\ud83d\ude00 \u00", "😀 u00"),
            (r"a\", "a"),
            ("é\\é", "éé"),
        ] {
            assert_eq!(without_escapes(text), undone);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"(\\|u|[0-9a-f]|é|.){0,20}"#) {
            without_escapes(&text);
        }
    }
}
