//! Ids of BotStar's objects.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// An object of BotStar's, unchanged, with its id.
pub type Object = Map<String, Value>;

/// Pattern of an id. It becomes a path segment, and servers read some characters as separators even if they are encoded.
pub const PATTERN: &str = r"^[^./\\?#%;\u0000-\u001f\u007f][^/\\?#%;\u0000-\u001f\u007f]*$";

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Id(#[schemars(length(min = 1, max = 256), regex(pattern = PATTERN))] pub String);

/// Gives an object its `id` as a text. BotStar's documentation has `id`, but items were also seen with `_id`. False if
/// it has neither.
pub fn identify(object: &mut Object) -> bool {
    let given = [object.get("id"), object.get("_id")];
    let Some(id) = given.into_iter().flatten().find_map(text) else { return false };
    object.insert("id".to_owned(), Value::String(id));
    true
}

/// A text or an integer as a text.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identified(object: &str) -> Option<Value> {
        let mut object: Object = serde_json::from_str(object).unwrap();
        identify(&mut object).then(|| object["id"].clone())
    }

    #[test]
    fn an_id_may_be_a_text_or_a_number_by_either_name() {
        for (object, id) in [
            (r#"{"id":"s1"}"#, Some("s1")),
            (r#"{"_id":"s1"}"#, Some("s1")),
            (r#"{"id":"s1","_id":"s2"}"#, Some("s1")),
            (r#"{"id":null,"_id":"s2"}"#, Some("s2")),
            (r#"{"id":"","_id":"s2"}"#, Some("s2")),
            (r#"{"id":9007199254740993}"#, Some("9007199254740993")),
            (r#"{"id":123456789012345678901}"#, Some("123456789012345678901")),
            (r#"{"id":["s1"]}"#, None),
            (r#"{"id":true}"#, None),
            (r#"{"name":"s1"}"#, None),
        ] {
            assert_eq!(identified(object), id.map(Value::from), "{object}");
        }
    }
}
