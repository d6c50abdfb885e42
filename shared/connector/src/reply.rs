//! Reply templates: the JSON in a hook's settings whose texts may contain `{{/json/pointer}}` into the event's data.
//! Other double braces stay, because they may have a meaning for the platform.

use models::Fault;
use serde_json::Value;
use std::borrow::Cow;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// A part of a text: literal text, or the pointer of a placeholder.
enum TemplatePart<'a> {
    Text(&'a str),
    Pointer(&'a str),
}

fn template_parts(text: &str) -> Vec<TemplatePart<'_>> {
    let (mut template_parts, mut rest, mut from) = (Vec::new(), text, 0);
    while let Some(open) = rest[from..].find(OPEN).map(|at| at + from) {
        let inside = &rest[open + OPEN.len()..];
        let Some(close) = inside.find(CLOSE) else { break };
        let pointer = inside[..close].trim();
        if pointer.starts_with('/') && !pointer.contains(OPEN) {
            template_parts.extend([TemplatePart::Text(&rest[..open]), TemplatePart::Pointer(pointer)]);
            (rest, from) = (&inside[close + CLOSE.len()..], 0);
        } else {
            from = open + 1 + usize::from(!rest.is_char_boundary(open + 1));
        }
    }
    template_parts.push(TemplatePart::Text(rest));
    template_parts
}

/// The template with its placeholders filled in; missing data becomes empty. None if the result exceeds `left` bytes.
pub fn fill(template: &Value, data: &Value, left: &mut usize) -> Option<Value> {
    Some(match template {
        Value::String(text) => Value::String(fill_text(text, data, left)?),
        Value::Array(items) => items.iter().map(|item| fill(item, data, left)).collect::<Option<_>>()?,
        Value::Object(fields) => {
            let filled = fields.iter().map(|(name, value)| Some((name.clone(), fill(value, data, left)?)));
            Value::Object(filled.collect::<Option<_>>()?)
        }
        other => other.clone(),
    })
}

fn fill_text(text: &str, data: &Value, left: &mut usize) -> Option<String> {
    let mut filled = String::new();
    for part in template_parts(text) {
        let value = match part {
            TemplatePart::Text(text) => Cow::Borrowed(text),
            TemplatePart::Pointer(pointer) => match data.pointer(pointer) {
                None | Some(Value::Null) => Cow::Borrowed(""),
                Some(Value::String(text)) => Cow::Borrowed(text.as_str()),
                Some(other) => Cow::Owned(other.to_string()),
            },
        };
        *left = left.checked_sub(value.len())?;
        filled.push_str(&value);
    }
    Some(filled)
}

/// Faults of placeholders that are not JSON Pointers, each at its text.
pub fn faults(template: &Value, at: &str) -> Vec<Fault> {
    match template {
        Value::String(text) => {
            let pointers = template_parts(text).into_iter().filter_map(|part| match part {
                TemplatePart::Pointer(pointer) if !is_pointer(pointer) => Some(pointer),
                _ => None,
            });
            pointers.map(|pointer| Fault::new(at, format!("{pointer} must be a JSON Pointer (RFC 6901)"))).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(index, item)| faults(item, &format!("{at}/{index}"))).collect()
        }
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| faults(value, &format!("{at}/{}", payload::mapping::escape(name))))
            .collect(),
        _ => Vec::new(),
    }
}

/// True if each `~` begins one of its two escapes.
fn is_pointer(pointer: &str) -> bool {
    pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn placeholders_are_replaced_and_other_braces_stay() {
        let data = json!({ "a": { "b/c": "x" }, "n": 1.5, "list": [true, null], "none": null });
        for (template, filled) in [
            ("Hello {{/a/b~1c}}!", "Hello x!"),
            ("{{ /n }}{{/list/0}}", "1.5true"),
            ("{{/list}}", "[true,null]"),
            ("[{{/none}}{{/missing}}]", "[]"),
            ("{{name}} {{/n}} {{", "{{name}} 1.5 {{"),
            ("{{ {{/n}}", "{{ 1.5"),
            ("{{{/n}}}", "{1.5}"),
            ("é{{é}}{{/n", "é{{é}}{{/n"),
            ("", ""),
        ] {
            let whole = json!([template, { "t": template }]);
            assert_eq!(fill(&whole, &data, &mut 100), Some(json!([filled, { "t": filled }])));
        }
        let untouched = json!({ "{{/n}}": 7, "x": null });
        assert_eq!(fill(&untouched, &data, &mut 0), Some(untouched.clone()));
        assert_eq!(fill(&json!(["{{/a/b~1c}}", "{{/a/b~1c}}"]), &data, &mut 1), None);
    }

    #[test]
    fn a_bad_pointer_is_reported_with_its_path() {
        let template = json!({ "a/b": [{ "t": "{{/x~2}} {{/fine~0}} {{not ours~}}" }] });
        let [fault] = faults(&template, "/settings/reply").try_into().unwrap();
        assert_eq!(fault.pointer, "/settings/reply/a~1b/0/t");
    }

    proptest! {
        #[test]
        fn no_template_panics(text in "[{}/~é a]{0,24}") {
            fill(&json!(text), &json!({ "a": 1 }), &mut 1_000);
            faults(&json!(text), "");
        }
    }
}
