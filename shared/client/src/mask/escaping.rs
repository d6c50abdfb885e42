//! Forms of a secret in a text: literal, or escaped as in JSON, HTML or a URL.

/// Most backslashes that are recognised before a character of a secret. Each nesting of JSON in a JSON string doubles them,
/// so this covers `\u0061` nested three times, and a quote nested twice.
const MAX_SLASHES: usize = 8;
/// Minimum length of a truncated secret to be recognised, in characters.
const MIN_BEGINNING: usize = 4;

/// The rest of a text that begins with a secret, literal or escaped.
pub fn after_secret<'a>(text: &'a str, secret: &str) -> Option<&'a str> {
    let written = || secret.chars().try_fold(text, after_char);
    text.strip_prefix(secret).or_else(written).filter(|after| after.len() < text.len())
}

/// True if the whole text is the beginning of a secret.
pub fn is_beginning(text: &str, secret: &str) -> bool {
    let mut rest = text;
    for (count, wanted) in secret.chars().enumerate() {
        match after_char(rest, wanted) {
            Some(after) => rest = after,
            // An escape may be truncated as well.
            None => return count >= MIN_BEGINNING && (rest.is_empty() || is_cut_escape(rest)),
        }
    }
    false
}

fn is_cut_escape(text: &str) -> bool {
    text.len() <= MAX_SLASHES && text.starts_with(['\\', '%', '&'])
}

fn after_char(text: &str, wanted: char) -> Option<&str> {
    let written = match text.as_bytes().first()? {
        b'\\' => return after_slashes(text, wanted),
        b'%' => after_percent(text, wanted),
        b'&' => after_entity(text, wanted),
        b'+' if wanted == ' ' => Some(&text[1..]),
        _ => None,
    };
    written.or_else(|| text.strip_prefix(wanted))
}

/// The rest after a character that JSON escapes. JSON inside a JSON string has several backslashes. Only the start of a
/// long run is examined, because this is repeated at each position in it.
fn after_slashes(text: &str, wanted: char) -> Option<&str> {
    let slashes = text.bytes().take(MAX_SLASHES).take_while(|byte| *byte == b'\\').count();
    let unescaped = &text[slashes..];
    let code = after_code_units(unescaped, wanted);
    if wanted == '\\' {
        let next = &text[1..];
        return code.or_else(|| Some(next.strip_prefix('\\').unwrap_or(next)));
    }
    code.or_else(|| unescaped.strip_prefix(wanted))
}

/// Matches `\u0061` after its backslash. A character beyond U+FFFF has two such codes.
fn after_code_units(text: &str, wanted: char) -> Option<&str> {
    let mut units = [0; 2];
    let mut rest = text;
    for unit in wanted.encode_utf16(&mut units) {
        rest = after_number(rest.trim_start_matches('\\').strip_prefix('u')?, 4, 16, (*unit).into())?;
    }
    Some(rest)
}

/// Matches `%61`, one for each byte of the character.
fn after_percent(text: &str, wanted: char) -> Option<&str> {
    let mut bytes = [0; 4];
    let mut encoded = wanted.encode_utf8(&mut bytes).bytes();
    encoded.try_fold(text, |rest, byte| after_number(rest.strip_prefix('%')?, 2, 16, byte.into()))
}

/// Matches `&amp;`, `&#38;` or `&#x26;`.
fn after_entity(text: &str, wanted: char) -> Option<&str> {
    let (entity, rest) = text.strip_prefix('&')?.split_once(';')?;
    let meant = match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = entity.strip_prefix('#').filter(|number| number.len() <= MAX_SLASHES)?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    (meant == wanted).then_some(rest)
}

fn after_number(text: &str, digits: usize, radix: u32, wanted: u32) -> Option<&str> {
    let (number, rest) = text.split_at_checked(digits)?;
    (u32::from_str_radix(number, radix) == Ok(wanted)).then_some(rest)
}
