//! JSON as CEL's values, and back.

use super::tree::VARIABLES;
use cel::{
    ExecutionError,
    common::{
        types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt},
        value::{CowVal, Val},
    },
    context::VariableResolver,
    objects::Key,
};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// What an event gives the variables. It borrows the event's texts.
pub struct Variables<'a>([(&'static str, Box<dyn Val + 'a>); VARIABLES.len()]);

impl<'a> Variables<'a> {
    pub fn of(event: &'a Value) -> Self {
        Self(VARIABLES.map(|name| (name, cel(&event[name]))))
    }
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        self.0.iter().find(|(name, _)| *name == variable).map(|(_, value)| CowVal::Borrowed(&**value))
    }
}

fn cel(value: &Value) -> Box<dyn Val + '_> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(bool) => Box::new(CelBool::from(*bool)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Box::new(CelInt::from(int)),
            (None, Some(uint)) => Box::new(CelUInt::from(uint)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(cel).collect::<Vec<_>>())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (CelMapKey::String(name.as_str().into()), cel(value)));
            Box::new(CelMap::from(fields.collect::<HashMap<_, _>>()))
        }
    }
}

/// The JSON of a value. A map's fields come in the order of their names, as the crate keeps no order.
pub fn json(value: &cel::Value) -> Result<Value, String> {
    Ok(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(bool) => Value::Bool(*bool),
        cel::Value::Int(int) => Value::from(*int),
        cel::Value::UInt(uint) => Value::from(*uint),
        cel::Value::Float(double) => {
            Value::Number(Number::from_f64(*double).ok_or("JSON has neither an infinite number nor NaN")?)
        }
        cel::Value::String(text) => Value::String(text.to_string()),
        cel::Value::List(items) => Value::Array(items.iter().map(json).collect::<Result<_, _>>()?),
        cel::Value::Map(map) => {
            let mut fields = Map::new();
            for (key, value) in map.map.iter() {
                let Key::String(name) = key else { return Err("a field's name in JSON is a text".to_owned()) };
                fields.insert(name.to_string(), json(value)?);
            }
            fields.sort_keys();
            Value::Object(fields)
        }
        other => return Err(format!("JSON has no {}", other.type_of())),
    })
}

/// An error in words that repeat nothing of the event but what the expression's text says too: they are kept and shown.
pub fn words(error: &ExecutionError, text: &str) -> String {
    let name = |value: &cel::Value| value.type_of().to_string().replace("float", "double");
    match error {
        ExecutionError::NoSuchKey(name) if text.contains(name.as_str()) => format!("there is no field `{name}`"),
        ExecutionError::NoSuchKey(_) => "there is no such field".to_owned(),
        ExecutionError::NoSuchOverload(error) => {
            // An operator's name has underscores where its operands are.
            let function = error.function().trim_matches(['_', '@']);
            format!("`{function}` does not go with {}", error.argument_types().join(" and "))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let operator = match *operator {
                "add" => "+",
                "sub" => "-",
                "mul" => "*",
                "div" => "/",
                "rem" => "%",
                other => other,
            };
            format!("`{operator}` does not go with {} and {}", name(left), name(right))
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} have no order", name(left), name(right))
        }
        ExecutionError::UnexpectedType { got, want } => format!("{want} is wanted where {got} is"),
        ExecutionError::UnsupportedKeyType(key) => format!("a field's name is a text, and this is {}", name(key)),
        ExecutionError::DuplicateKey(_) => "a map has the same field twice".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than that".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "a division by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number becomes too large".to_owned(),
        ExecutionError::FunctionError { function, message } if function.starts_with('@') => message.clone(),
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        _ => "it has no value".to_owned(),
    }
}
