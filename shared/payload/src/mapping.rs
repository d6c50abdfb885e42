//! Location of an event's fields in a body whose shape no document specifies.
//!
//! A hook's mapping names JSON Pointers (RFC 6901) by the dotted path in the event's `data`. For a path without one,
//! the trigger's candidates are tried in turn. The result, a [`Reading`], is stored with the event. So the event is
//! always read the same way, even if later releases or mappings would find other fields.

use crate::{
    number,
    view::{self, Fields, View},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// A hook's own pointers, by path.
pub type Mapping = BTreeMap<String, String>;

/// A field that a trigger looks for.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Dotted path in `data`.
    pub path: &'static str,
    /// If not found, it is listed in `unmapped`.
    pub expected: bool,
    /// JSON Pointers that are tried in this order.
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

/// Location of an event's fields: the pointer for each path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Pointers by path; none for a field that is not in the body.
    #[serde(rename = "f")]
    pub fields: BTreeMap<Cow<'static, str>, Option<Cow<'static, str>>>,
    #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
    pub unmapped: Vec<String>,
}

/// Type of a path's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldType {
    /// An identifier, kept exactly: two ids are equal only if the same id was sent.
    Id,
    Text,
    Texts,
    Object,
    /// `live` or `test`, in any case.
    Environment,
    Any,
}

/// The environments of a bot.
const ENVIRONMENTS: [&str; 2] = ["live", "test"];

fn kind(path: &str) -> FieldType {
    match path {
        "subscriber.tags" => FieldType::Texts,
        "subscriber.attributes" | "subscriber.platform_user" => FieldType::Object,
        "record.fields" | "item.fields" | "attributes" | "node" | "variables" => FieldType::Object,
        "environment" => FieldType::Environment,
        "message" | "attribute.value" => FieldType::Any,
        _ if path.starts_with(ATTRIBUTE) => FieldType::Any,
        _ if path.ends_with(".id") || path.ends_with("_id") => FieldType::Id,
        _ => FieldType::Text,
    }
}

/// Prefix of the paths of single attributes.
pub const ATTRIBUTE: &str = "subscriber.attributes.";

/// Candidates that remain after an unusable value. The sender has that field, so a value outside its object means
/// something else: an event's own id is not the id of its user. After an unusable id none remain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CandidateScope {
    Anywhere,
    Within(&'static str),
    Nowhere,
}

impl CandidateScope {
    fn allows(self, pointer: &str) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Within(object) => pointer.strip_prefix(object).is_some_and(|rest| rest.starts_with('/')),
            Self::Nowhere => false,
        }
    }

    fn narrowed(self, kind: FieldType, pointer: &'static str) -> Self {
        match pointer.rsplit_once('/') {
            _ if kind == FieldType::Id => Self::Nowhere,
            None | Some(("", _)) => self,
            Some((object, _)) => Self::Within(object),
        }
    }
}

/// A field with a value that can't be used.
struct Unusable {
    path: &'static str,
    scope: CandidateScope,
    is_blank: bool,
}

/// Locates a trigger's fields in a body. If a path occurs twice, the first candidates come first.
pub fn resolve<'a>(fields: impl IntoIterator<Item = &'a Field>, mapping: &Mapping, body: &Value) -> Reading {
    let mut reading = Reading::default();
    let mut expected = Vec::new();
    let mut unusable: Vec<Unusable> = Vec::new();
    for field in fields {
        if field.expected {
            expected.push(field.path);
        }
        if reading.has(field.path) {
            continue;
        }
        let found = match mapping.get(field.path) {
            Some(pointer) => mapped(field, pointer, body, &mut unusable).map(|pointer| pointer.to_owned().into()),
            None => candidate(field, body, &mut unusable).map(Cow::from),
        };
        // Every subscriber has the same fields, so fields that were not found are not stored.
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
    expected.extend(unusable.iter().filter(|field| !field.is_blank).map(|field| field.path));
    expected.retain(|path| !reading.has(path));
    let mut listed = BTreeSet::new();
    expected.retain(|path| listed.insert(*path));
    reading.unmapped = expected.into_iter().map(str::to_owned).collect();
    reading
}

/// A hook's own pointer for a field, if its value is usable.
fn mapped<'p>(field: &Field, pointer: &'p str, body: &Value, unusable: &mut Vec<Unusable>) -> Option<&'p str> {
    let (kind, value) = (kind(field.path), at(pointer, body)?);
    if fits(kind, value) {
        return Some(pointer);
    }
    unusable.push(Unusable { path: field.path, scope: CandidateScope::Nowhere, is_blank: is_blank(value) });
    None
}

/// A field's first candidate with a usable value.
fn candidate(field: &Field, body: &Value, unusable: &mut Vec<Unusable>) -> Option<&'static str> {
    let kind = kind(field.path);
    let place = unusable.iter().position(|other| other.path == field.path);
    let mut scope = place.map_or(CandidateScope::Anywhere, |place| unusable[place].scope);
    let mut all_blank = place.is_none_or(|place| unusable[place].is_blank);
    for pointer in field.candidates {
        match at(pointer, body).filter(|_| scope.allows(pointer)) {
            Some(value) if fits(kind, value) => return Some(pointer),
            Some(value) => {
                scope = scope.narrowed(kind, pointer);
                // An object at a text's place may contain the text's own candidates.
                all_blank &= is_blank(value) || kind == FieldType::Object || value.is_object();
            }
            None => {}
        }
    }
    let state = Unusable { path: field.path, scope, is_blank: all_blank };
    match place {
        Some(place) => unusable[place] = state,
        None if scope != CandidateScope::Anywhere || !all_blank => unusable.push(state),
        None => {}
    }
    None
}

/// True for a value that means absence.
fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn usable(kind: FieldType, pointer: &str, body: &Value) -> bool {
    at(pointer, body).is_some_and(|value| fits(kind, value))
}

/// The value that a JSON Pointer leads to. Dozens are tried for each event, nearly all of them plain names: for those,
/// this avoids the copies that `Value::pointer` makes to unescape.
fn at<'v>(pointer: &str, body: &'v Value) -> Option<&'v Value> {
    if pointer.is_empty() || pointer.contains('~') {
        return body.pointer(pointer);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(body, |at, name| match at {
        Value::Object(object) => object.get(name),
        other => other.pointer(&format!("/{name}")),
    })
}

/// True if [`coerce`] accepts the value. Unlike `coerce`, this does not copy it.
fn fits(kind: FieldType, value: &Value) -> bool {
    match kind {
        FieldType::Any => !value.is_null(),
        FieldType::Object => value.is_object(),
        FieldType::Id => id(value).is_some(),
        FieldType::Text => text(value).is_some(),
        FieldType::Environment => environment(value).is_some(),
        FieldType::Texts => value.is_array() || name(value).is_some(),
    }
}

/// Converts a value to the type of its path, leniently: a number to a text, one text to a list.
fn coerce(kind: FieldType, value: &Value) -> Option<Value> {
    match kind {
        FieldType::Any | FieldType::Object => fits(kind, value).then(|| value.clone()),
        FieldType::Id => id(value).map(Value::from),
        FieldType::Text => text(value).map(Value::from),
        FieldType::Environment => environment(value).map(Value::from),
        FieldType::Texts => match value {
            Value::Array(items) => Some(items.iter().filter_map(name).map(Value::from).collect()),
            one => name(one).map(|tag| Value::Array(vec![tag.into()])),
        },
    }
}

/// Longest id, in bytes of JSON without its quotes. Ids go into keys and into every list.
const MAX_ID_BYTES: usize = 1024;

/// A value as an id. Replacement characters are rejected, because several ids would become the same text.
fn id(value: &Value) -> Option<Cow<'_, str>> {
    text(value).filter(|id| !id.contains(char::REPLACEMENT_CHARACTER) && json_bytes(id) <= MAX_ID_BYTES)
}

/// The `id` of an object.
pub fn identity(object: &Value) -> Option<String> {
    object.get("id").and_then(id).map(Cow::into_owned)
}

/// The length of a text in bytes of JSON, without its quotes.
pub fn json_bytes(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0x00..0x20 => 6,
            _ => 1,
        })
        .sum()
}

/// A value as a text. Booleans are rejected: `"email": false` means that there is no address.
pub fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) => number_text(number),
        _ => None,
    }
}

/// A value as an environment.
fn environment(value: &Value) -> Option<&'static str> {
    let text = value.as_str()?.trim();
    ENVIRONMENTS.into_iter().find(|known| text.eq_ignore_ascii_case(known))
}

/// A number as a text, if 64 bits or a double hold it exactly. A longer one has several spellings.
fn number_text(number: &Number) -> Option<Cow<'_, str>> {
    // -0 is 0.
    if let Some(integer) = number.as_i64() {
        return Some(Cow::Owned(integer.to_string()));
    }
    if number.is_u64() {
        return Some(Cow::Owned(number.to_string()));
    }
    // Platforms that count in doubles write 42 as 42.0.
    number::integer(number).map(|integer| Cow::Owned(integer.to_string())).or_else(|| {
        let double = number::double(number).filter(|double| double.abs() < number::EXACT_INTEGERS as f64)?;
        Some(Cow::Owned(Number::from_f64(double)?.to_string()))
    })
}

/// An item of a list of tags: a text, or an object with a name.
fn name(value: &Value) -> Option<Cow<'_, str>> {
    text(value.get("name").unwrap_or(value))
}

impl Reading {
    fn has(&self, path: &str) -> bool {
        matches!(self.fields.get(path), Some(Some(_)))
    }

    /// The same fields without the subscriber's, none of them found.
    pub fn without_values(&self) -> Self {
        let paths = self.fields.keys().filter(|path| !path.starts_with("subscriber."));
        Self { fields: paths.map(|path| (path.clone(), None)).collect(), unmapped: Vec::new() }
    }

    /// The value of a path in a body, converted to its type.
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

    /// The same value, borrowed if no conversion is needed.
    pub fn view<'a>(&self, path: &str, body: &'a Value) -> Option<View<'a>> {
        let value = at(self.fields.get(path)?.as_ref()?, body)?;
        let kind = kind(path);
        match kind {
            FieldType::Any | FieldType::Object => fits(kind, value).then_some(View::Of(value)),
            _ => coerce(kind, value).map(View::Own),
        }
    }

    /// The fields besides the subscriber's, as a tree by their dotted paths. Null if the body does not have the field.
    pub fn data<'a>(&'a self, body: &'a Value) -> Fields<'a> {
        let mut data = Fields::new();
        for path in self.fields.keys().filter(|path| !path.starts_with("subscriber.")) {
            place(&mut data, path, self.view(path, body).unwrap_or(View::NULL));
        }
        data
    }

    /// Names in `data` that hold several fields: `checkpoint` for `checkpoint.name`.
    pub fn groups(&self) -> BTreeSet<String> {
        let paths = self.fields.keys().filter(|path| !path.starts_with("subscriber."));
        paths.filter_map(|path| Some(path.split_once('.')?.0.to_owned())).collect()
    }

    /// A person's attributes: the mapped object without the values used for other fields, then the attributes mapped
    /// one by one. The latter are limited to 1 MB in all, because a mapping may name one large value many times.
    pub fn attributes(&self, body: &Value) -> Map<String, Value> {
        self.attributes_of(body).into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// The same attributes, borrowed.
    pub fn attributes_of<'a>(&'a self, body: &'a Value) -> BTreeMap<&'a str, &'a Value> {
        let mut attributes = BTreeMap::new();
        if let Some(Some(pointer)) = self.fields.get("subscriber.attributes")
            && let Some(Value::Object(object)) = at(pointer, body)
        {
            let taken: Vec<&str> = self.fields.values().flatten().map(AsRef::as_ref).collect();
            let free = |key: &str| !taken.contains(&format!("{pointer}/{}", escape(key)).as_str());
            let entries = object.iter().filter(|(key, value)| !value.is_null() && free(key));
            attributes.extend(entries.map(|(key, value)| (key.as_str(), value)));
        }
        let mut left = MAX_MAPPED_BYTES;
        for (path, pointer) in &self.fields {
            if let (Some(name), Some(pointer)) = (path.strip_prefix(ATTRIBUTE), pointer)
                && let Some(value) = at(pointer, body).filter(|value| fits(FieldType::Any, value))
                && let Some(rest) = left.checked_sub(value.to_string().len())
            {
                left = rest;
                attributes.insert(name, value);
            }
        }
        attributes
    }
}

/// Sets a value at a dotted path.
fn place<'a>(fields: &mut Fields<'a>, path: &'a str, value: View<'a>) {
    let Some((name, rest)) = path.split_once('.') else { return view::set(fields, path.into(), value) };
    let known = fields.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        fields.push((name.into(), View::Map(Fields::new())));
        fields.len() - 1
    });
    if let (_, View::Map(inner)) = &mut fields[known] {
        place(inner, rest, value);
    }
}

/// Total size of the attributes that are mapped one by one, in bytes of JSON.
const MAX_MAPPED_BYTES: usize = 1024 * 1024;

/// Escapes a name for a JSON Pointer.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
