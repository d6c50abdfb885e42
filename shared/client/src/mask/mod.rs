//! Masking of secrets in answers. A platform or a target may repeat parts of a request, with any escaping.

mod escaping;
mod hooks;

use data_encoding::BASE64;
use escaping::{after_secret, is_beginning};
pub use hooks::without_hooks;
use percent_encoding::percent_decode_str;
use url::Url;

/// Replacement of a secret.
pub const MASK: &str = "••••";

/// Minimum length of a header's value to be masked, in bytes. Headers for credentials have no minimum.
const MIN_VALUE: usize = 6;
/// Minimum length of a masked part of a credential, in bytes. Also applies to a query value whose name marks a
/// credential.
const MIN_CREDENTIAL: usize = 4;
/// Minimum length of a path that is masked on its own, in bytes, so that `/api` is not.
const MIN_PATH: usize = 6;
/// Minimum length from which any path segment or query value is masked, in bytes.
const LONG: usize = 16;
/// Suffixes of names of headers and parameters that hold credentials.
const CREDENTIALS: [&str; 14] = [
    "authorization",
    "auth",
    "authentication",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "key",
    "token",
    "secret",
    "session",
    "signature",
    "sig",
    "password",
];
/// Schemes of `Authorization`, which other headers use as well.
const SCHEMES: [&str; 3] = ["bearer", "basic", "token"];

/// The secrets of one call.
#[derive(Debug, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Adds a header of the request.
    pub fn add_header(&mut self, name: &str, value: &str) {
        if value.len() >= MIN_VALUE || is_credential(name) {
            self.add(value);
        }
        if is_credential(name) || has_scheme(value) {
            self.add_parts(value);
        }
    }

    /// Adds a header if its name marks credentials.
    pub fn add_credential(&mut self, name: &str, value: &str) {
        if is_credential(name) || has_scheme(value) {
            self.add_header(name, value);
        }
    }

    /// Adds the credentials without their scheme, the password of the scheme Basic, and the values of cookies.
    fn add_parts(&mut self, value: &str) {
        let is_part = |part: &&str| part.len() >= MIN_CREDENTIAL;
        if let Some((_, credentials)) = value.split_once(' ') {
            self.add_all([credentials.trim()].into_iter().filter(is_part));
            let plain =
                BASE64.decode(credentials.trim().as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let plain = plain.unwrap_or_default();
            let password = plain.split_once(':').map(|(_, password)| password);
            self.add_all(password.into_iter().chain([plain.as_str()]).filter(is_part));
        }
        let cookies = value.split(';').filter_map(|cookie| cookie.split_once('='));
        self.add_all(cookies.map(|(_, value)| value.trim()).filter(|value| value.len() >= MIN_VALUE));
    }

    /// Adds the path and the query of a URL, as written and decoded, and those of their parts that are long or look
    /// like secrets.
    pub fn add_url(&mut self, url: &Url) {
        let steps: Vec<&str> = url.path().split('/').filter(|step| !step.is_empty()).collect();
        let query = url.query().filter(|query| !query.is_empty());
        // A proxy may strip the first segments of the path, so the target may repeat a shorter one.
        for at in 0..steps.len() {
            let path = steps[at..].join("/");
            if path.len() >= MIN_PATH || (at == 0 && steps.len() > 1) {
                self.add_forms(&format!("/{path}"));
            }
            if path.len() >= MIN_PATH && (at == 0 || steps.len() - at > 1) {
                self.add_forms(&path);
            }
            if let Some(query) = query {
                self.add_forms(&format!("/{path}?{query}"));
                self.add_forms(&format!("{path}?{query}"));
            }
        }
        steps.iter().filter(|step| looks_secret(step)).for_each(|step| self.add_forms(step));
        let Some(query) = query else { return };
        self.add_forms(&format!("?{query}"));
        if query.len() >= MIN_PATH {
            self.add_forms(query);
        }
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or(("", part));
            let is_named = value.len() >= MIN_CREDENTIAL && is_credential(name);
            if is_named || looks_secret(value) {
                self.add_forms(value);
            }
        }
    }

    /// Adds a part of a URL as written and decoded.
    fn add_forms(&mut self, part: &str) {
        self.add(part);
        for text in [part, &part.replace('+', " ")] {
            self.add(&percent_decode_str(text).decode_utf8_lossy());
        }
    }

    fn add_all<'a>(&mut self, secrets: impl Iterator<Item = &'a str>) {
        secrets.for_each(|secret| self.add(secret));
    }

    fn add(&mut self, secret: &str) {
        if !secret.is_empty() && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
        }
    }

    /// Masks these secrets in a text.
    pub fn masked(&self, text: &str) -> String {
        masked(text, &self.as_strs(), false)
    }

    /// Masks these secrets in a truncated text, whose end may be a part of one.
    pub fn masked_cut(&self, text: &str) -> String {
        masked(text, &self.as_strs(), true)
    }

    pub fn as_strs(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

/// True for a header or parameter of credentials: `authorization`, `X-Api-Key`, `accessToken`, `client_secret`. Headers
/// lose their capital letters, so a suffix counts even if no word begins there.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CREDENTIALS.iter().any(|credential| name.ends_with(credential))
}

/// True for a value that begins with an authentication scheme, in any header: `Bearer …`.
fn has_scheme(value: &str) -> bool {
    let scheme = value.split_once(' ').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)))
}

/// True for a text that is long, or that mixes letters with digits, or cases, as random texts do.
fn looks_secret(part: &str) -> bool {
    let has = |is: fn(&u8) -> bool| part.as_bytes().iter().any(is);
    let has_digit = has(u8::is_ascii_digit);
    let is_mixed = has_digit && has(u8::is_ascii_alphabetic);
    let is_mixed_case = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    match part.len() {
        LONG.. => true,
        10.. => has_digit || is_mixed_case,
        MIN_VALUE.. => is_mixed,
        _ => false,
    }
}

/// Masks the secrets of a call in a platform's answer. JSON stays valid.
pub fn without(text: &str, secrets: &[&str]) -> String {
    masked(text, secrets, false)
}

fn masked(text: &str, secrets: &[&str], is_cut: bool) -> String {
    if !is_cut && !text.contains(['\\', '%', '&', '+']) && !secrets.iter().any(|secret| text.contains(secret)) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let longest = secrets.iter().filter_map(|secret| after_secret(rest, secret)).min_by_key(|after| after.len());
        rest = match longest {
            Some(after) => {
                shown.push_str(MASK);
                after
            }
            None if is_cut && secrets.iter().any(|secret| is_beginning(rest, secret)) => {
                shown.push_str(MASK);
                ""
            }
            None => {
                shown.push(next);
                &rest[next.len_utf8()..]
            }
        };
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_headers(headers: &[(&str, &str)]) -> Secrets {
        let mut secrets = Secrets::default();
        headers.iter().for_each(|(name, value)| secrets.add_header(name, value));
        secrets
    }

    fn of_url(url: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add_url(&url.parse().unwrap());
        secrets
    }

    #[test]
    fn secrets_are_masked_anywhere() {
        assert_eq!(without("a secret, b", &["", "secret", "b"]), "a ••••, ••••");
        assert_eq!(without("secretive", &["secret", "secretive"]), "••••", "the longest one");
    }

    #[test]
    fn a_secret_is_found_in_every_escaped_form() {
        let secret = r#"a/b+c=%41"\"#;
        for escaped in [
            secret,
            r#"a\/b+c=%41\"\\"#,
            "a%2Fb%2bc%3D%2541%22%5C",
            r"\u0061\u002f\u0062\u002B\u0063=%41\u0022\u005c",
            "a&#47;b&#x2B;c=%41&quot;\\",
        ] {
            assert_eq!(without(&format!("é{escaped}{escaped}é"), &[secret]), "é••••••••é", "{escaped}");
        }
        for other in ["", "a", "a/b+c=A\"\\", "a%", "a%2", "a\\u00", "a%é", "a\\u00é", "a&#47", "a&;", "&"] {
            assert_eq!(without(other, &[secret]), other);
        }
        for escaped in ["né😀", "n%C3%A9%f0%9f%98%80", r"n\u00e9\ud83d\ude00", "n&#233;&#x1F600;"] {
            assert_eq!(without(escaped, &["né😀"]), MASK, "{escaped}");
        }
        assert_eq!(without("a+b a%20b", &["a b"]), "•••• ••••");
    }

    #[test]
    fn a_short_header_is_masked_only_if_it_holds_credentials() {
        let answer = "version 1 of 12345, abc, 123456";
        for (name, value, expected) in [
            ("x-api-version", "1", answer),
            ("x-tenant", "12345", answer),
            ("accept-language", "abc", answer),
            ("x-tenant", "123456", "version 1 of 12345, abc, ••••"),
            ("Authorization", "abc", "version 1 of 12345, ••••, 123456"),
            ("cookie", "abc", "version 1 of 12345, ••••, 123456"),
            ("X-Api-Key", "abc", "version 1 of 12345, ••••, 123456"),
            ("x-auth-token", "abc", "version 1 of 12345, ••••, 123456"),
            ("client_secret", "abc", "version 1 of 12345, ••••, 123456"),
            ("accessToken", "abc", "version 1 of 12345, ••••, 123456"),
            ("apiToken", "abc", "version 1 of 12345, ••••, 123456"),
            ("clientSecret", "abc", "version 1 of 12345, ••••, 123456"),
            ("X-AuthToken", "abc", "version 1 of 12345, ••••, 123456"),
            ("x-authtoken", "abc", "version 1 of 12345, ••••, 123456"),
            ("accesskey", "abc", "version 1 of 12345, ••••, 123456"),
            ("userPassword", "abc", "version 1 of 12345, ••••, 123456"),
            ("keyboard", "abc", answer),
            ("tokenType", "abc", answer),
        ] {
            assert_eq!(of_headers(&[(name, value)]).masked(answer), expected, "{name}: {value}");
        }
    }

    #[test]
    fn parts_of_credentials_are_masked() {
        let basic = format!("Basic {}", BASE64.encode(b"ava:hunter2"));
        let secrets = of_headers(&[("authorization", &basic)]);
        assert_eq!(secrets.masked("ava's hunter2 is wrong"), "ava's •••• is wrong");
        let secrets = of_headers(&[("authorization", "Bearer abcdef"), ("cookie", "a=1; session=s3ss10n")]);
        assert_eq!(secrets.masked("no abcdef in s3ss10n 1"), "no •••• in •••• 1");
        for name in ["x-hub", "x-pat", "x-auth", "authentication", "x-credentials", "x-session"] {
            let secrets = of_headers(&[(name, "Bearer abcdef")]);
            assert_eq!(secrets.masked("invalid token abcdef"), "invalid token ••••", "{name}");
        }
    }

    #[test]
    fn a_urls_path_and_query_are_masked_encoded_and_decoded() {
        let secrets = of_url("https://x.test/api/hooks/T0K3N%20a?user=ava&key=s3cret+1&n=7");
        for (answer, expected) in [
            ("Cannot POST /api/hooks/T0K3N%20a?user=ava&key=s3cret+1&n=7", "Cannot POST ••••"),
            ("Cannot POST /api/hooks/T0K3N%20a?user=ava&amp;key=s3cret+1&amp;n=7", "Cannot POST ••••"),
            ("No route matches [POST] \"/api/hooks/T0K3N a\"", "No route matches [POST] \"••••\""),
            ("The current path, api/hooks/T0K3N%20a, didn't match", "The current path, ••••, didn't match"),
            (r#"{"path":"\/api\/hooks\/T0K3N%20a","n":7}"#, r#"{"path":"••••","n":7}"#),
            ("/hooks/T0K3N%20a?user=ava&key=s3cret+1&n=7 below /api", "•••• below /api"),
            ("T0K3N%20a is no token", "•••• is no token"),
            ("the key s3cret 1 is wrong", "the key •••• is wrong"),
            ("s3cret%2B1 n 7 ava", "•••• n 7 ava"),
            ("https://x.test/api and /apis", "https://x.test/api and /apis"),
        ] {
            assert_eq!(secrets.masked(answer), expected, "{answer}");
        }
        for name in ["accessToken", "apiToken", "clientSecret", "apikey"] {
            let secrets = of_url(&format!("https://x.test/?{name}=abcd"));
            assert_eq!(secrets.masked("abcd is wrong"), "•••• is wrong", "{name}");
        }
        assert_eq!(of_url("https://x.test/").masked("GET / x.test"), "GET / x.test");
        assert_eq!(of_url("https://x.test/api").masked("/api /api/docs"), "/api /api/docs");
        assert_eq!(of_url("https://x.test/api?a=1").masked("/api?a=1 /api a=1 1"), "•••• /api a=1 1");
        assert_eq!(
            of_url("https://x.test/%D0%BA%D0%BB%D1%8E%D1%87").masked("/ключ, /%d0%ba%d0%bb%d1%8e%d1%87"),
            "••••, ••••"
        );
    }

    #[test]
    fn a_truncated_secret_at_the_end_is_masked() {
        let secrets = of_headers(&[("x-api-key", "abc\"defghi")]);
        for (text, expected) in [
            ("the key abc\"de", "the key ••••"),
            ("the key abc\\\"de", "the key ••••"),
            ("the key abc\\\"d\\u00", "the key ••••"),
            ("the key abc", "the key abc"),
            ("abc\"de is the key", "abc\"de is the key"),
        ] {
            assert_eq!(secrets.masked_cut(text), expected, "{text}");
            assert_eq!(secrets.masked(text), text);
        }
    }
}
