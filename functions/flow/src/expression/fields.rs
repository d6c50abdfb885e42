//! An object of which each field is an expression: a route's `body`, an action's `input`.

use super::{Expression, values::Variables, work::Work};
use models::{Fault, mapping};
use serde_json::{Map, Value};

const MAX_FIELDS: usize = 50;

/// The fields of an object, each of them an expression.
pub struct Fields(Vec<(String, Expression)>);

impl Fields {
    /// At most 50 fields, each a text that is an expression. `at` is the JSON Pointer of the object, to which the faults
    /// add a field's name.
    pub fn compile(fields: &Map<String, Value>, at: &str) -> Result<Self, Vec<Fault>> {
        if fields.len() > MAX_FIELDS {
            return Err(vec![Fault::new(at, format!("has more than {MAX_FIELDS} fields"))]);
        }
        let mut faults = Vec::new();
        let mut compiled = Vec::new();
        for (name, text) in fields {
            let expression = match text {
                _ if name.is_empty() => Err("is a field without a name".to_owned()),
                Value::String(text) => Expression::compile(text).map_err(|bad| bad.detail),
                _ => Err("is not a text with an expression".to_owned()),
            };
            match expression {
                Ok(expression) => compiled.push((name.clone(), expression)),
                Err(detail) => faults.push(Fault::new(format!("{at}/{}", mapping::escape(name)), detail)),
            }
        }
        if faults.is_empty() { Ok(Self(compiled)) } else { Err(faults) }
    }

    /// The object for an event, or in words which field has no value, and why. All fields together may do as much work
    /// as one expression.
    pub fn evaluate(&self, event: &Value) -> Result<Map<String, Value>, String> {
        let (variables, work) = (Variables::of(event), Work::new());
        let value = |(name, expression): &(String, Expression)| {
            let value = expression.value(&variables, &work).map_err(|error| format!("`{name}`: {error}"))?;
            Ok((name.clone(), value))
        };
        self.0.iter().map(value).collect()
    }
}
