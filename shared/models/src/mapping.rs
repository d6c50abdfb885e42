//! Finding an event's fields in a body whose shape no document gives.
//!
//! A hook's mapping names JSON Pointers (RFC 6901) by the dotted path in the event's `data`. Where it has none for a
//! path, the trigger's candidates are tried in turn. The outcome, a [`Reading`], is stored with the event: from then on
//! the event is read the same way, whatever later releases or mappings would find.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeMap};

/// A hook's own pointers, by path.
pub type Mapping = BTreeMap<String, String>;

/// One field that a trigger looks for.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Where it goes in `data`.
    pub path: &'static str,
    /// Listed in `unmapped` when it isn't found.
    pub expected: bool,
    /// Pointers tried in this order.
    pub candidates: &'static [&'static str],
}

impl Field {
    pub const fn expected(path: &'static str, candidates: &'static [&'static str]) -> Self {
        Self { path, expected: true, candidates }
    }

    pub const fn optional(path: &'static str, candidates: &'static [&'static str]) -> Self {
        Self { path, expected: false, candidates }
    }
}

/// How an event's body is read: which pointer gives which path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// By path; none for a field that the body has nowhere.
    #[serde(rename = "f")]
    pub fields: BTreeMap<Cow<'static, str>, Option<Cow<'static, str>>>,
    #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
    pub unmapped: Vec<String>,
}

/// What a path holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Texts,
    Object,
    Any,
}

fn kind(path: &str) -> Kind {
    match path {
        "subscriber.tags" => Kind::Texts,
        "subscriber.attributes" | "subscriber.platform_user" | "record.fields" => Kind::Object,
        "attributes" | "node" | "variables" => Kind::Object,
        "message" => Kind::Any,
        _ if path.starts_with(ATTRIBUTE) => Kind::Any,
        _ => Kind::Text,
    }
}

/// What paths to single attributes begin with.
pub const ATTRIBUTE: &str = "subscriber.attributes.";

/// Finds a trigger's fields in a body. Of a path that is stated twice, the first candidates come first.
pub fn resolve<'a>(fields: impl IntoIterator<Item = &'a Field>, mapping: &Mapping, body: &Value) -> Reading {
    let mut reading = Reading::default();
    let mut expected = Vec::new();
    for field in fields {
        if field.expected {
            expected.push(field.path);
        }
        if reading.has(field.path) {
            continue;
        }
        let kind = kind(field.path);
        let found = match mapping.get(field.path) {
            Some(pointer) => usable(kind, pointer, body).then(|| pointer.clone().into()),
            None => field.candidates.iter().copied().find(|pointer| usable(kind, pointer, body)).map(Cow::from),
        };
        // A subscriber has the same fields everywhere, so that those not found need no mention.
        if found.is_some() || !field.path.starts_with("subscriber.") {
            reading.fields.insert(field.path.into(), found);
        }
    }
    for (path, pointer) in mapping.iter().filter(|(path, _)| path.starts_with(ATTRIBUTE)) {
        expected.push(path);
        if usable(kind(path), pointer, body) {
            reading.fields.insert(path.clone().into(), Some(pointer.clone().into()));
        }
    }
    expected.retain(|path| !reading.has(path));
    expected.dedup();
    reading.unmapped = expected.into_iter().map(str::to_owned).collect();
    reading
}

fn usable(kind: Kind, pointer: &str, body: &Value) -> bool {
    at(pointer, body).is_some_and(|value| fits(kind, value))
}

/// The value that a JSON Pointer leads to. Dozens are tried for each event, nearly all of them plain names, so those are
/// followed without the copies that `Value::pointer` makes to unescape them.
fn at<'v>(pointer: &str, body: &'v Value) -> Option<&'v Value> {
    if pointer.is_empty() || pointer.contains('~') {
        return body.pointer(pointer);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(body, |at, name| match at {
        Value::Object(object) => object.get(name),
        other => other.pointer(&format!("/{name}")),
    })
}

/// Whether [`coerce`] makes something of a value. It copies the value, which is not needed to find a field.
fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Any => !value.is_null(),
        Kind::Object => value.is_object(),
        Kind::Text => text(value).is_some(),
        Kind::Texts => value.is_array() || name(value).is_some(),
    }
}

/// Takes a value for what a path holds, leniently: numbers for text, one text for a list of them.
fn coerce(kind: Kind, value: &Value) -> Option<Value> {
    match kind {
        Kind::Any | Kind::Object => fits(kind, value).then(|| value.clone()),
        Kind::Text => text(value).map(Value::from),
        Kind::Texts => match value {
            Value::Array(items) => Some(items.iter().filter_map(name).map(Value::from).collect()),
            one => name(one).map(|tag| Value::Array(vec![tag.into()])),
        },
    }
}

/// Up to here a float tells every whole number from the next.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(Cow::Borrowed(text)),
        // Read as a float, two ids beyond 64 bits could be one: better none than another's.
        Value::Number(number) if number.as_f64().is_none_or(|float| number.is_f64() && float.abs() >= EXACT) => None,
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Owned(flag.to_string())),
        _ => None,
    }
}

/// An item of a list of tags, given as a text or as an object with a name.
fn name(value: &Value) -> Option<Cow<'_, str>> {
    text(value.get("name").unwrap_or(value))
}

impl Reading {
    fn has(&self, path: &str) -> bool {
        matches!(self.fields.get(path), Some(Some(_)))
    }

    /// The same fields besides the subscriber's, none of them found.
    pub fn emptied(&self) -> Self {
        let paths = self.fields.keys().filter(|path| !path.starts_with("subscriber."));
        Self { fields: paths.map(|path| (path.clone(), None)).collect(), unmapped: Vec::new() }
    }

    /// The value that a path has in a body.
    pub fn get(&self, path: &str, body: &Value) -> Option<Value> {
        let pointer = self.fields.get(path)?.as_ref()?;
        coerce(kind(path), at(pointer, body)?)
    }

    pub fn text(&self, path: &str, body: &Value) -> Option<String> {
        match self.get(path, body)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The fields besides the subscriber's, laid out as `data` has them; null where the body has nothing.
    pub fn data(&self, body: &Value) -> Map<String, Value> {
        let mut data = Map::new();
        for path in self.fields.keys().filter(|path| !path.starts_with("subscriber.")) {
            let value = self.get(path, body).unwrap_or(Value::Null);
            let (parents, leaf) = path.rsplit_once('.').unwrap_or(("", path));
            let mut names = parents.split('.').filter(|name| !name.is_empty());
            let parent = names.try_fold(&mut data, |at, name| {
                at.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
            });
            if let Some(parent) = parent {
                parent.insert(leaf.to_owned(), value);
            }
        }
        data
    }

    /// A person's attributes: the object that is mapped to them, less what the reading takes from it for other fields,
    /// and those that are mapped one by one.
    pub fn attributes(&self, body: &Value) -> Map<String, Value> {
        let mut attributes = Map::new();
        if let Some(Some(pointer)) = self.fields.get("subscriber.attributes")
            && let Some(Value::Object(object)) = at(pointer, body)
        {
            let taken: Vec<&str> = self.fields.values().flatten().map(AsRef::as_ref).collect();
            let free = |key: &str| !taken.contains(&format!("{pointer}/{}", escape(key)).as_str());
            let entries = object.iter().filter(|(key, value)| !value.is_null() && free(key));
            attributes.extend(entries.map(|(key, value)| (key.clone(), value.clone())));
        }
        for path in self.fields.keys() {
            if let Some(name) = path.strip_prefix(ATTRIBUTE)
                && let Some(value) = self.get(path, body)
            {
                attributes.insert(name.to_owned(), value);
            }
        }
        attributes
    }
}

/// A name as it stands in a JSON Pointer.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn a_pointer_leads_where_rfc_6901_says(pointer in "(/(a|b|0|1|01|~0|~1|))*", plain in ".*") {
            let leaf = json!({ "a": [[1, { "": 2, "/": 3 }], 4], "b": { "0": 5, "01": [6], "~": 7, "": [8] }, "~": 9 });
            let body = json!({ "a": leaf, "b": [leaf], "": leaf, "0": leaf, "1": [leaf], "/": leaf });
            prop_assert_eq!(at(&pointer, &body), body.pointer(&pointer));
            prop_assert_eq!(at(&plain, &body), body.pointer(&plain));
        }
    }

    const FIELDS: &[Field] = &[
        Field { path: "subscriber.id", expected: true, candidates: &["/user/id", "/user_id", "/id"] },
        Field { path: "subscriber.name", expected: false, candidates: &["/user/name"] },
        Field { path: "subscriber.attributes", expected: false, candidates: &["/user"] },
        Field { path: "checkpoint.id", expected: false, candidates: &["/checkpoint/id"] },
        Field { path: "checkpoint.name", expected: true, candidates: &["/checkpoint/name", "/checkpoint"] },
        Field { path: "record.fields", expected: true, candidates: &["/fields"] },
    ];

    fn mapping(pairs: &[(&str, &str)]) -> Mapping {
        pairs.iter().map(|(path, pointer)| ((*path).to_owned(), (*pointer).to_owned())).collect()
    }

    #[test]
    fn candidates_are_tried_in_turn() {
        let body = json!({"user": {"id": 7, "name": "Ava", "plan": "gold"}, "checkpoint": "Coffee Order"});
        let reading = resolve(FIELDS, &Mapping::new(), &body);
        assert_eq!(reading.text("subscriber.id", &body).as_deref(), Some("7"));
        assert_eq!(reading.text("checkpoint.name", &body).as_deref(), Some("Coffee Order"));
        assert_eq!(reading.unmapped, ["record.fields"]);
        assert_eq!(
            Value::Object(reading.data(&body)),
            json!({"checkpoint": {"id": null, "name": "Coffee Order"}, "record": {"fields": null}})
        );
        assert_eq!(Value::Object(reading.attributes(&body)), json!({"plan": "gold"}));
    }

    #[test]
    fn a_mapping_comes_before_the_candidates_and_in_place_of_them() {
        let body = json!({"id": "wrong", "who": {"a/b": "u-1"}, "tier": 3});
        let own = mapping(&[
            ("subscriber.id", "/who/a~1b"),
            ("checkpoint.name", "/nowhere"),
            ("subscriber.attributes.tier", "/tier"),
            ("subscriber.attributes.gone", "/gone"),
            ("takeover.reason", "/id"),
        ]);
        let reading = resolve(FIELDS, &own, &body);
        assert_eq!(reading.text("subscriber.id", &body).as_deref(), Some("u-1"));
        assert_eq!(reading.unmapped, ["checkpoint.name", "record.fields", "subscriber.attributes.gone"]);
        assert_eq!(Value::Object(reading.attributes(&body)), json!({"tier": 3}));
        assert!(!reading.fields.contains_key("takeover.reason"), "no field of this trigger");
    }

    #[test]
    fn a_value_of_another_kind_is_not_found() {
        for body in [json!({"id": ""}), json!({"id": null}), json!({"id": {}}), json!([]), json!(5), json!(null)] {
            let reading = resolve(FIELDS, &Mapping::new(), &body);
            assert_eq!(reading.unmapped, ["subscriber.id", "checkpoint.name", "record.fields"], "{body}");
        }
    }

    #[test]
    fn a_number_that_a_float_can_not_tell_is_no_id() {
        for (body, id) in [
            (r#"{"id":18446744073709551615}"#, Some("18446744073709551615")),
            (r#"{"id":-9223372036854775808}"#, Some("-9223372036854775808")),
            (r#"{"id":1.5}"#, Some("1.5")),
            (r#"{"id":123456789012345678901}"#, None),
        ] {
            let body = serde_json::from_str(body).unwrap();
            let reading = resolve(FIELDS, &Mapping::new(), &body);
            assert_eq!(reading.text("subscriber.id", &body).as_deref(), id);
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let key = proptest::sample::select(vec!["user", "id", "name", "fields", "checkpoint", "a/b", "~"]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_body_or_mapping_panics_and_what_is_found_is_there(
            body in any_json(),
            own in proptest::collection::btree_map("(subscriber\\.(id|attributes\\.[a-z.]{0,3})|record\\.fields|.{0,5})", ".{0,8}", 0..5),
        ) {
            let reading = resolve(FIELDS, &own, &body);
            for (path, pointer) in &reading.fields {
                prop_assert_eq!(pointer.is_some(), reading.get(path, &body).is_some());
            }
            for field in FIELDS.iter().filter(|field| field.expected) {
                let missing = reading.unmapped.iter().any(|path| path == field.path);
                prop_assert_eq!(missing, reading.get(field.path, &body).is_none());
            }
            reading.data(&body);
            reading.attributes(&body);
            let stored = serde_json::to_string(&reading).unwrap();
            prop_assert_eq!(serde_json::from_str::<Reading>(&stored).unwrap(), reading);
        }
    }
}
