//! The query of a webhook call.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// Largest query that an event stores, in bytes of JSON.
const MAX_KEPT_BYTES: usize = 4096;

/// The query without the parameters of these names.
pub fn without<'q>(query: &'q str, names: &[&str]) -> Cow<'q, str> {
    if names.is_empty() || query.is_empty() {
        return Cow::Borrowed(query);
    }
    let is_other = |pair: &&str| !form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| names.contains(&&*name));
    Cow::Owned(query.split('&').filter(is_other).collect::<Vec<_>>().join("&"))
}

/// The values of each parameter, as an event stores them. Parameters beyond the limit are left out.
pub fn kept(query: &str) -> Value {
    let mut kept = Map::new();
    let mut left = MAX_KEPT_BYTES - 2;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // Brackets, a colon and a comma.
        let bytes = Value::from(&*name).to_string().len() + Value::from(&*value).to_string().len() + 4;
        let Some(rest) = left.checked_sub(bytes) else { continue };
        left = rest;
        let values = kept.entry(name.into_owned()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = values {
            values.push(value.into());
        }
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_removed_in_every_escaped_form() {
        for (query, rest) in
            [("token=t&a=1", "a=1"), ("a=1&tok%65n=t&b", "a=1&b"), ("token", ""), ("tokens=1", "tokens=1"), ("", "")]
        {
            assert_eq!(without(query, &["token"]), rest, "{query}");
        }
        assert_eq!(without("token=t", &[]), "token=t");
    }

    #[test]
    fn a_stored_query_has_lists_of_values_and_at_most_4_kb() {
        assert_eq!(kept("a=1&b=%20x&a=2&c"), json!({ "a": ["1", "2"], "b": [" x"], "c": [""] }));
        let long = format!("a=1&{}=2&b={}&c=3", "n".repeat(5_000), "%01".repeat(900));
        assert_eq!(kept(&long), json!({ "a": ["1"], "c": ["3"] }));
        let many: String = (0..2_000).map(|n| format!("k{n}=v&")).collect();
        assert!((3_900..=4_096).contains(&kept(&many).to_string().len()));
    }
}
