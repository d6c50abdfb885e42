//! Reading what platforms send: JSON or a form, told apart by content rather than by trust in a header.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// How a kept body is to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Form,
}

/// Why a body is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is empty")]
    Empty,
    #[error("the body is not UTF-8 text")]
    NotText,
    #[error("the body is neither JSON ({0}) nor a form")]
    Neither(String),
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Reads a body as JSON, or else as a form.
pub fn read(bytes: &[u8], content_type: Option<&str>) -> Result<(Format, Value), Unreadable> {
    if bytes.is_empty() {
        return Err(Unreadable::Empty);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::NotText)?;
    let says_form = content_type.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with(FORM));
    match json(text) {
        Ok((value, _)) => Ok((Format::Json, value)),
        Err(_) if is_form(text, says_form) => Ok((Format::Form, form(text))),
        Err(error) => Err(Unreadable::Neither(error.to_string())),
    }
}

/// A kept body as JSON text, with its value: JSON as it was received, a form as an object of its fields.
pub fn reread(bytes: &[u8], format: Format) -> (Value, Cow<'_, str>) {
    let text = String::from_utf8_lossy(bytes);
    if format == Format::Json
        && let Cow::Borrowed(text) = text
        && let Ok(read) = json(text)
    {
        return read;
    }
    let value = form(&text);
    let text = value.to_string();
    (value, Cow::Owned(text))
}

/// JSON, also with a byte order mark, and with lone surrogate escapes: JavaScript writes those for a text cut in the
/// middle of an emoji. They are read as U+FFFD, as `TextEncoder` would.
fn json(text: &str) -> Result<(Value, Cow<'_, str>), serde_json::Error> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).map(|value| (value, Cow::Borrowed(text))).or_else(|error| {
        let mended = replace_lone_surrogates(text).ok_or(error)?;
        Ok((serde_json::from_str(&mended)?, Cow::Owned(mended)))
    })
}

fn replace_lone_surrogates(text: &str) -> Option<String> {
    let unit = |at: usize| {
        let escape = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let mut mended = String::with_capacity(text.len());
    let (mut at, mut found) = (0, false);
    while let Some(character) = text[at..].chars().next() {
        let length = match (character, unit(at)) {
            ('\\', Some(0xD800..=0xDBFF)) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => 12,
            ('\\', Some(0xD800..=0xDFFF)) => {
                found = true;
                mended.push_str("\\ufffd");
                at += 6;
                continue;
            }
            ('\\', Some(_)) => 6,
            ('\\', None) => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
            _ => character.len_utf8(),
        };
        mended.push_str(&text[at..at + length]);
        at += length;
    }
    found.then_some(mended)
}

/// Any text decodes as some form, so more is asked: the header says so, or the text has only characters that form
/// encoding leaves, and a name before the first `=`.
fn is_form(text: &str, says_form: bool) -> bool {
    let encoded = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%+&=-._~*[]".contains(&byte));
    matches!(text.find('='), Some(1..)) && (says_form || encoded)
}

fn form(text: &str) -> Value {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let value = Value::String(value.into_owned());
        match fields.get_mut(name.as_ref()) {
            None => {
                fields.insert(name.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn json_is_told_by_its_content() {
        assert_eq!(read(b"{\"a\":1}", Some(FORM)), Ok((Format::Json, json!({"a": 1}))));
        assert_eq!(read("\u{feff}{\"a\":1}".as_bytes(), None), Ok((Format::Json, json!({"a": 1}))));
        assert_eq!(read(b"[]", None), Ok((Format::Json, json!([]))));
    }

    #[test]
    fn a_form_is_an_object() {
        let (format, value) =
            read(b"name=Ava+Chen&tag=a&tag=b&tag=c", Some("application/x-www-form-urlencoded")).unwrap();
        assert_eq!((format, value), (Format::Form, json!({"name": "Ava Chen", "tag": ["a", "b", "c"]})));
        assert!(read(b"user%5Bid%5D=7", None).is_ok(), "a form without the header");
        assert_eq!(reread(b"a=1", Format::Form).1, "{\"a\":\"1\"}");
    }

    #[test]
    fn what_is_neither_is_refused() {
        assert_eq!(read(b"", None), Err(Unreadable::Empty));
        assert_eq!(read(b"\xff\xfe", None), Err(Unreadable::NotText));
        for body in ["hello", "<a b='c'/>", "{\"a\":", "=x", "{\"a\" = 1}"] {
            assert!(matches!(read(body.as_bytes(), None), Err(Unreadable::Neither(_))), "{body}");
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(read(deep.as_bytes(), None), Err(Unreadable::Neither(_))));
    }

    #[test]
    fn half_an_emoji_is_no_reason_to_refuse() {
        let (_, value) = read(br#"{"name":"Ava \ud83d","ok":"\ud83d\ude00 \\ud83d \" \n"}"#, None).unwrap();
        assert_eq!(value, json!({"name": "Ava \u{fffd}", "ok": "😀 \\ud83d \" \n"}));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, header in proptest::option::of(".*")) {
            if let Ok((format, value)) = read(&bytes, header.as_deref()) {
                let (again, text) = reread(&bytes, format);
                prop_assert_eq!(&again, &value);
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            }
        }

        #[test]
        fn no_json_like_text_panics(text in r#"[\[\]{}",:\\ud89a-f0e+=&-]{0,40}"#) {
            let _ = read(text.as_bytes(), None);
            let _ = replace_lone_surrogates(&text);
        }
    }
}
