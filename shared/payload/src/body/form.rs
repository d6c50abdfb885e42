//! Forms: `application/x-www-form-urlencoded`, <https://url.spec.whatwg.org/#urlencoded-parsing>. Fields are decoded
//! strictly by the declared charset: a lossy decoding could give two people the same id.

use super::charset::{Charset, MediaType};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Detects a form. Any text decodes as some form, so the media type must declare one, or the text must consist of the
/// characters that form encoding leaves, and give a name a value. JSON, XML and base64 that is cut short or mislabelled
/// is no form.
pub fn is_form(text: &[u8], media: &MediaType) -> bool {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if media.is_json_or_xml() || matches!(first, Some(b'{' | b'[' | b'"' | b'<')) {
        return false;
    }
    if media.is_form() {
        return text.contains(&b'=') && !text.starts_with(b"=");
    }
    let is_encoded = text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"%+&=-._~*[]".contains(byte));
    is_encoded && !text.starts_with(b"=") && pairs(text).any(|(_, value)| value.iter().any(|byte| *byte != b'='))
}

/// True if all characters are ASCII once unescaped. ASCII is the same in every charset but UTF-16.
pub fn is_ascii(bytes: &[u8]) -> bool {
    unescape(bytes).is_ascii()
}

/// The fields by name. None if one can't be decoded.
pub fn read(bytes: &[u8], charset: Charset) -> Option<Value> {
    fields(bytes, charset, |charset, bytes| charset.decode(bytes).map(Cow::into_owned))
}

/// The fields by name, with U+FFFD for bytes that can't be decoded.
pub fn read_lossy(bytes: &[u8], charset: Charset) -> Value {
    let read = fields(bytes, charset, |charset, bytes| Some(charset.decode_lossy(bytes).into_owned()));
    read.unwrap_or(Value::Null)
}

fn fields(bytes: &[u8], charset: Charset, decode: fn(Charset, &[u8]) -> Option<String>) -> Option<Value> {
    if charset.is_wide() {
        // `=` and `&` have more than one byte here, so the text is decoded first. Its escapes are UTF-8.
        return fields(decode(charset, bytes)?.as_bytes(), Charset::UTF_8, decode);
    }
    let mut fields = Map::new();
    for (name, value) in pairs(bytes) {
        let (name, value) = (decode(charset, &unescape(name))?, Value::String(decode(charset, &unescape(value))?));
        match fields.get_mut(&name) {
            None => {
                fields.insert(name, value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Some(Value::Object(fields))
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &[][..]),
    })
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}
