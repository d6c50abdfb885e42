//! Replacements of texts.

use super::class;

/// Upper bounds of the classes of a text's length, in characters.
const LENGTHS: [usize; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096];

/// Texts that stay, in any case: environments and channels. None is a person's.
const WORDS: [&str; 14] = [
    "live",
    "test",
    "draft",
    "preview",
    "facebook",
    "messenger",
    "instagram",
    "whatsapp",
    "telegram",
    "viber",
    "zalo",
    "web",
    "webchat",
    "website",
];

const DOMAIN: &str = "@example.com";
const URL: &str = "https://example.com/";
const UUID: &str = "00000000-0000-4000-8000-000000000000";
const DATE: &str = "2026-01-01";

/// The replacement of a value. A few words stay.
pub fn value(text: &str) -> String {
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_word { text.to_owned() } else { replaced(text) }
}

/// A text of the same kind and length class.
pub fn replaced(text: &str) -> String {
    let length = class(text.chars().count(), &LENGTHS);
    let padded = |start: &str, end: &str| {
        let rest = length.saturating_sub(start.len() + end.len()).max(1);
        format!("{start}{}{end}", "x".repeat(rest))
    };
    let has_space = text.contains(char::is_whitespace);
    if text.is_empty() {
        String::new()
    } else if is_email(text) {
        padded("", DOMAIN)
    } else if !has_space && text.contains("://") {
        padded(URL, "")
    } else if is_uuid(text) {
        UUID.to_owned()
    } else if is_date(text) {
        match text.as_bytes().get(10) {
            None => DATE.to_owned(),
            Some(b'T' | b't') => format!("{DATE}T00:00:00Z"),
            Some(_) => format!("{DATE} 00:00:00Z"),
        }
    } else if is_phone(text) {
        padded(if text.starts_with('+') { "+" } else { "" }, "").replace('x', "1")
    } else if has_space {
        (1..=length).map(|at| if at % 5 == 0 && at < length { ' ' } else { 'x' }).collect()
    } else if text.contains(|c: char| !c.is_alphabetic()) {
        // An identifier: letters with digits or signs.
        (0..length).map(|at| if at % 2 == 0 { 'x' } else { '0' }).collect()
    } else {
        "x".repeat(length)
    }
}

fn is_email(text: &str) -> bool {
    let parts = text.split_once('@').filter(|(name, domain)| !name.is_empty() && domain.contains('.'));
    parts.is_some() && !text.contains(char::is_whitespace)
}

fn is_uuid(text: &str) -> bool {
    let is_dash = |at| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, byte): (usize, u8)| if is_dash(at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == UUID.len() && text.bytes().enumerate().all(fits)
}

/// True for a date, alone or before a time.
fn is_date(text: &str) -> bool {
    let fits = |(at, byte): (usize, &u8)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() };
    let (bytes, is_end) = (text.as_bytes(), |byte: &u8| matches!(byte, b'T' | b't' | b' '));
    bytes.len() >= DATE.len() && bytes.iter().take(DATE.len()).enumerate().all(fits) && bytes.get(10).is_none_or(is_end)
}

/// True for digits, and for a phone number.
fn is_phone(text: &str) -> bool {
    let is_sign = |c: char| matches!(c, ' ' | '-' | '(' | ')' | '.' | '/');
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.contains(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || is_sign(c))
}
