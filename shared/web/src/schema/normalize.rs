//! Integers that are written as floats. JSON Schema counts 600.0 and 6e2 as integers; serde does not.

use super::{AdditionalFields, Keyword, Node, Type, Validator};
use payload::number;
use serde_json::{Number, Value};

/// Rewrites the integers of a value that fits the schema.
pub fn normalize(validator: &Validator, node: &Node, value: &mut Value) {
    for keyword in node {
        match keyword {
            Keyword::Type(types) if types.contains(&Type::Integer) => {
                if let Some(integer) = integer(value) {
                    *value = Value::Number(integer);
                }
            }
            Keyword::Fields { known, others } => fields(validator, known, others, value),
            Keyword::Items(node) => {
                for item in value.as_array_mut().into_iter().flatten() {
                    normalize(validator, node, item);
                }
            }
            // Only an alternative that the value fits determines its integers.
            Keyword::AnyOf(nodes) | Keyword::OneOf(nodes) => {
                for node in nodes {
                    if validator.fits(node, value) {
                        normalize(validator, node, value);
                    }
                }
            }
            Keyword::Reference(name) => {
                if let Some(node) = validator.definitions.get(name) {
                    normalize(validator, node, value);
                }
            }
            _ => {}
        }
    }
}

fn fields(validator: &Validator, known: &[(String, Node)], others: &AdditionalFields, value: &mut Value) {
    for (name, value) in value.as_object_mut().into_iter().flatten() {
        match (known.iter().find(|(known, _)| known == name), others) {
            (Some((_, node)), _) | (None, AdditionalFields::Like(node)) => normalize(validator, node, value),
            (None, AdditionalFields::Unknown) => {}
        }
    }
}

/// The integer value of a number that is written as a fraction.
fn integer(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => number::integer(number).map(Number::from),
        _ => None,
    }
}
