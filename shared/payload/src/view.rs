//! JSON values that borrow from an event's body. A parsed body takes up to a hundred times its size, so an envelope
//! holds no copies of the parts that it shows again.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

/// The fields of an object, in order.
pub type Fields<'a> = Vec<(Cow<'a, str>, View<'a>)>;

/// A JSON value whose large parts are borrowed.
#[derive(Debug, Clone)]
pub enum View<'a> {
    Of(&'a Value),
    Own(Value),
    Map(Fields<'a>),
    /// An event's body. The text is as it was received, so numbers of any size and the order of keys are kept.
    Body {
        text: &'a RawValue,
        value: &'a Value,
    },
}

impl View<'_> {
    pub const NULL: Self = Self::Own(Value::Null);
}

impl<T: Into<Value>> From<T> for View<'_> {
    fn from(value: T) -> Self {
        Self::Own(value.into())
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Of(value) => value.serialize(serializer),
            Self::Own(value) => value.serialize(serializer),
            Self::Body { text, .. } => text.serialize(serializer),
            Self::Map(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, field) in fields {
                    map.serialize_entry(name, field)?;
                }
                map.end()
            }
        }
    }
}

/// Sets a field. An existing field keeps its position.
pub fn set<'a>(fields: &mut Fields<'a>, name: Cow<'a, str>, view: View<'a>) {
    match fields.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = view,
        None => fields.push((name, view)),
    }
}
