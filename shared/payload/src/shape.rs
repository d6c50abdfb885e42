//! The shape of a body: its structure without its content, to be published. Texts, numbers and keys are replaced by others
//! of their kind and length class.

mod text;

use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

/// Upper bounds of the classes of an integer's number of digits. Times in seconds have 10, in milliseconds 13.
const DIGITS: [usize; 10] = [1, 2, 4, 8, 9, 10, 12, 13, 16, 20];
/// Replacements of integers with 10 and 13 digits, which are often times.
const SECONDS: &str = "1767225600";
const MILLIS: &str = "1767225600000";

/// The shape of a body. Keys of its objects are replaced unless they are among these.
pub fn of(body: &Value, known: &BTreeSet<String>) -> Value {
    match body {
        Value::String(text) => Value::String(text::value(text)),
        Value::Number(number) => Value::Number(replaced(number)),
        Value::Array(items) => items.iter().map(|item| of(item, known)).collect(),
        Value::Object(fields) => Value::Object(object(fields, known)),
        Value::Null | Value::Bool(_) => body.clone(),
    }
}

fn object(fields: &Map<String, Value>, known: &BTreeSet<String>) -> Map<String, Value> {
    let mut shape = Map::new();
    for (key, value) in fields {
        let name = if is_known(key, known) { key.clone() } else { text::replaced(key) };
        let copies = (2..).map(|copy| format!("{name}_{copy}"));
        let free = [name.clone()].into_iter().chain(copies).find(|name| !shape.contains_key(name));
        shape.insert(free.unwrap_or(name), of(value, known));
    }
    shape
}

/// True for a known key, and for a form's `user[id]` if all its parts are known.
fn is_known(key: &str, known: &BTreeSet<String>) -> bool {
    let mut parts = key.split(['[', ']', '.']).filter(|part| !part.is_empty()).peekable();
    parts.peek().is_some() && parts.all(|part| known.contains(part))
}

fn replaced(number: &Number) -> Number {
    let text = number.as_str();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let digits = match digits.len() {
        _ if digits.contains(['.', 'e', 'E']) => "1.5".to_owned(),
        10 => SECONDS.to_owned(),
        13 => MILLIS.to_owned(),
        count => "1".repeat(class(count, &DIGITS)),
    };
    serde_json::from_str(&format!("{sign}{digits}")).unwrap_or_else(|_| Number::from(1))
}

/// The upper bound of a length's class, or the largest bound.
fn class(length: usize, bounds: &[usize]) -> usize {
    let bound = bounds.iter().find(|bound| length <= **bound).or(bounds.last());
    bound.copied().unwrap_or(length)
}

#[cfg(test)]
mod tests;
