//! Secrets of hooks, recognised by their form in any text.

use super::MASK;
use data_encoding::HEXLOWER;
use models::HookId;
use regex_lite::{Captures, Regex};
use std::{borrow::Cow, ops::Range, sync::LazyLock};

/// A hook's URL up to its token, then the token. A `/` may be escaped, as in JSON and URLs.
static HOOK_URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let slash = r"(?:\\*/|%(?:25)*2f|\\+u002f)";
    let step = "[a-z-]+";
    Regex::new(&format!(
        r#"(?i)({slash}hooks{slash}{step}{slash}{step}{slash})(?:[^\s"'<>?#&/\\,;!|()\]}}]|\\u[0-9a-f]{{4}})+"#
    ))
    .ok()
});

/// A path segment of every hook's URL.
const HOOKS: &[u8] = b"hooks";
/// Length of a hook's token in base64url, and of a verification token in hexadecimal digits.
const TOKEN: usize = 64;
/// 2020 to 2100, in milliseconds. A token begins with its hook's creation time, unlike other long names.
const YEARS: Range<u64> = 1_577_836_800_000..4_102_444_800_000;

/// Masks the secrets of hooks: the end of a URL, the token, and the verification token by which a platform proves its
/// identity.
pub fn without_hooks(text: &str) -> String {
    // The regular expression is slow on an answer of megabytes.
    let has_hooks = text.as_bytes().windows(HOOKS.len()).any(|word| word.eq_ignore_ascii_case(HOOKS));
    let masked = match &*HOOK_URL {
        Some(url) if has_hooks => url.replace_all(text, |found: &Captures<'_>| format!("{}{MASK}", &found[1])),
        _ => Cow::Borrowed(text),
    };
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut shown = String::with_capacity(masked.len());
    let mut rest = &*masked;
    while !rest.is_empty() {
        let run = rest.find(|c| !is_of_token(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(run);
        shown.push_str(if is_token(word) { MASK } else { word });
        let other = after.find(is_of_token).unwrap_or(after.len());
        shown.push_str(&after[..other]);
        rest = &after[other..];
    }
    shown
}

fn is_token(word: &str) -> bool {
    let is_made_since_2020 = |hook: HookId| YEARS.contains(&hook.time().millis());
    let is_of_hook = || HookId::of_token(word).is_some_and(is_made_since_2020);
    word.len() == TOKEN && (HEXLOWER.decode(word.as_bytes()).is_ok() || is_of_hook())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hook_tokens_are_masked_anywhere() {
        let hook: HookId = "hook_06h0cgku0t3q2h2p8n6h4bq8ns".parse().unwrap();
        let token = hook.token(&[7; 32]);
        let url = format!("https://x.test/hooks/chatbot/message/{token}");
        let verification = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            (format!("no {url}!"), "no https://x.test/hooks/chatbot/message/••••!"),
            (format!("{url}?token={verification}"), "https://x.test/hooks/chatbot/message/••••?token=••••"),
            (
                format!("{{\"url\":\"{}\"}}", url.replace('/', r"\/")),
                r#"{"url":"https:\/\/x.test\/hooks\/chatbot\/message\/••••"}"#,
            ),
            (format!("a={}&b", url.replace('/', "%2F")), "a=https:%2F%2Fx.test%2Fhooks%2Fchatbot%2Fmessage%2F••••&b"),
            ("/HOOKS/chatbot/message/short \"x".to_owned(), "/HOOKS/chatbot/message/•••• \"x"),
            (format!("{token} {verification}"), "•••• ••••"),
            (format!("é{verification}0 a-b"), &format!("é{verification}0 a-b")),
            ("/hooks/chatbot/message and é".to_owned(), "/hooks/chatbot/message and é"),
        ] {
            assert_eq!(without_hooks(&text), expected, "{text}");
        }
    }
}
