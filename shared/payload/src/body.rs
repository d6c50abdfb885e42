//! Parser of webhook bodies: JSON or a form, detected by content first and by the declared media type second.

mod charset;
mod form;
#[cfg(test)]
mod tests;

pub use charset::Charset;
use charset::MediaType;
use serde_json::Value;
use std::borrow::Cow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Json,
    Form,
}

/// Syntax and charset by which a stored body is parsed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    pub syntax: Syntax,
    pub charset: Charset,
}

impl Format {
    pub const JSON: Self = Self { syntax: Syntax::Json, charset: Charset::UTF_8 };
}

/// The reason why a body can't become an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is empty")]
    Empty,
    #[error("the body is not valid {0} text")]
    NotText(&'static str),
    #[error("the body declares an unknown charset, and is not plain ASCII")]
    UnknownCharset,
    #[error("the body is JSON nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("the body is neither JSON ({0}) nor a form")]
    Neither(String),
}

/// Deepest nesting of arrays and objects in a body. Parsers accept 128 levels; the rest is for the JSON that wraps a
/// body: a profile, an envelope, an action's input.
pub const MAX_DEPTH: usize = 64;

/// Parses a body as JSON, or else as a form.
pub fn read(bytes: &[u8], content_type: Option<&str>) -> Result<(Format, Value), Unreadable> {
    if bytes.is_empty() {
        return Err(Unreadable::Empty);
    }
    let media = MediaType::parse(content_type.unwrap_or_default());
    let (marked, bytes) = Charset::of_byte_order_mark(bytes);
    // JSON is UTF-8, whatever charset a sender declares (RFC 8259, section 8.1). Some senders use the declared one all
    // the same.
    let declared = marked.or(media.charset).unwrap_or(Charset::UTF_8);
    let charsets = [marked.unwrap_or(Charset::UTF_8), declared];
    let mut error = None;
    for charset in &charsets[..if charsets[0] == declared { 1 } else { 2 }] {
        let Some(text) = charset.decode(bytes) else { continue };
        match json(&text) {
            Ok((value, _)) if is_deeper(&value, MAX_DEPTH) => return Err(Unreadable::TooDeep),
            Ok((value, _)) => return Ok((Format { syntax: Syntax::Json, charset: *charset }, value)),
            Err(found) => error = Some(found.to_string()),
        }
    }
    if error.as_ref().is_some_and(|error| error.starts_with(RECURSION)) {
        return Err(Unreadable::TooDeep);
    }
    let not_text = Unreadable::NotText(declared.name());
    if form::is_form(bytes, &media) {
        if media.has_unknown_charset && !form::is_ascii(bytes) {
            return Err(Unreadable::UnknownCharset);
        }
        let value = form::read(bytes, declared).ok_or(not_text)?;
        return Ok((Format { syntax: Syntax::Form, charset: declared }, value));
    }
    Err(error.map_or(not_text, Unreadable::Neither))
}

/// The format of JSON in the charset of a body's byte order mark, or in the declared one.
pub fn declared(bytes: &[u8], content_type: Option<&str>) -> Format {
    let media = MediaType::parse(content_type.unwrap_or_default());
    let (marked, _) = Charset::of_byte_order_mark(bytes);
    Format { syntax: Syntax::Json, charset: marked.or(media.charset).unwrap_or(Charset::UTF_8) }
}

/// The parser's error for more than 128 levels.
const RECURSION: &str = "recursion limit exceeded";

/// Parses a stored body into its value and its JSON text. JSON keeps its text as received, a form becomes an object of
/// its fields. Earlier releases stored bodies that [`read`] rejects, so this accepts any bytes.
pub fn reread(bytes: &[u8], format: Format) -> (Value, Cow<'_, str>) {
    let (_, bytes) = Charset::of_byte_order_mark(bytes);
    if format.syntax == Syntax::Json {
        match format.charset.decode(bytes) {
            Some(Cow::Borrowed(text)) => {
                if let Ok(read) = json(text) {
                    return read;
                }
            }
            Some(Cow::Owned(text)) => {
                if let Ok((value, text)) = json(&text) {
                    return (value, Cow::Owned(text.into_owned()));
                }
            }
            None => {}
        }
    }
    let value = form::read_lossy(bytes, format.charset);
    let text = value.to_string();
    (value, Cow::Owned(text))
}

/// True if a value has more levels of arrays and objects than this.
pub fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|field| is_deeper(field, levels - 1)),
        _ => false,
    }
}

/// Frees the spare capacity of lists: the parser reserves four items for each, 288 bytes of memory.
pub fn shrink(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.shrink_to_fit();
            items.iter_mut().for_each(shrink);
        }
        Value::Object(fields) => fields.values_mut().for_each(shrink),
        _ => {}
    }
}

/// Parses JSON, also after repeated byte order marks, and with lone surrogate escapes. JavaScript writes those for a
/// text cut in the middle of an emoji. They become U+FFFD, as in `TextEncoder`.
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
