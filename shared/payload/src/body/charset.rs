//! Charsets and media types, as a `Content-Type` declares them.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::borrow::Cow;

/// A charset of the [Encoding Standard](https://encoding.spec.whatwg.org/).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    pub const UTF_8: Self = Self(UTF_8);

    /// The charset of a label such as `latin1`.
    pub fn for_label(label: &str) -> Option<Self> {
        Encoding::for_label_no_replacement(label.as_bytes()).map(Self)
    }

    /// The charset of a byte order mark, which outranks a declared one, and the bytes after the mark.
    pub(super) fn of_byte_order_mark(bytes: &[u8]) -> (Option<Self>, &[u8]) {
        match Encoding::for_bom(bytes) {
            Some((encoding, length)) => (Some(Self(encoding)), &bytes[length..]),
            None => (None, bytes),
        }
    }

    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The name that is stored with an event; none for UTF-8, the most frequent one.
    pub fn stored_name(self) -> Option<&'static str> {
        (self != Self::UTF_8).then(|| self.name())
    }

    /// True if each character is a unit of two bytes.
    pub(super) fn is_wide(self) -> bool {
        self.0 == UTF_16LE || self.0 == UTF_16BE
    }

    /// None if a byte is invalid in this charset.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        self.0.decode_without_bom_handling_and_without_replacement(bytes)
    }

    /// Invalid bytes become U+FFFD.
    pub fn decode_lossy(self, bytes: &[u8]) -> Cow<'_, str> {
        self.0.decode_without_bom_handling(bytes).0
    }
}

/// A `Content-Type`, parsed leniently: senders get it wrong more often than the body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    /// None if no charset is declared, or an unknown one.
    pub charset: Option<Charset>,
    pub has_unknown_charset: bool,
}

impl MediaType {
    pub fn parse(text: &str) -> Self {
        let mut parts = text.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
        });
        let known = charset.and_then(Charset::for_label);
        Self { essence, charset: known, has_unknown_charset: charset.is_some() && known.is_none() }
    }

    pub fn is_form(&self) -> bool {
        self.essence == "application/x-www-form-urlencoded"
    }

    pub fn is_json_or_xml(&self) -> bool {
        let subtype = self.essence.split_once('/').map_or("", |(_, subtype)| subtype);
        ["json", "xml"]
            .into_iter()
            .any(|syntax| subtype == syntax || subtype.strip_suffix(syntax).is_some_and(|prefix| prefix.ends_with('+')))
    }
}
