//! An object whose fields are expressions: a route's `body`, an action's `input`.

use super::{BadExpression, EventValues, Expression, needs::Need, values::Variables, work::Budget};
use models::Fault;
use payload::mapping;
use serde_json::{Map, Value};

const MAX_FIELDS: usize = 50;

/// The fields of an object, each an expression.
pub struct Fields {
    fields: Vec<(String, Expression)>,
    /// The parts of `data` that they use.
    data: Need,
}

type Compile = fn(&str) -> Result<Expression, BadExpression>;

impl Fields {
    /// Compiles new fields: at most 50, each a text with an expression. `at` is the JSON Pointer of the object, for the
    /// faults.
    pub fn compile(fields: &Map<String, Value>, at: &str) -> Result<Self, Vec<Fault>> {
        Self::checked(fields, at, Expression::compile)
    }

    /// Compiles stored fields.
    pub fn compile_stored(fields: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        Self::checked(fields, "", Expression::compile_stored)
    }

    fn checked(fields: &Map<String, Value>, at: &str, compile: Compile) -> Result<Self, Vec<Fault>> {
        if fields.len() > MAX_FIELDS {
            return Err(vec![Fault::new(at, format!("must have at most {MAX_FIELDS} fields"))]);
        }
        let mut faults = Vec::new();
        let mut compiled = Vec::new();
        let mut data = Need::default();
        for (name, text) in fields {
            let expression = match text {
                _ if name.is_empty() => Err("must have a name".to_owned()),
                Value::String(text) => compile(text).map_err(|bad| bad.detail),
                _ => Err("must be a string with an expression".to_owned()),
            };
            match expression {
                Ok(expression) => {
                    data.join(&expression.data);
                    compiled.push((name.clone(), expression));
                }
                Err(detail) => faults.push(Fault::new(format!("{at}/{}", mapping::escape(name)), detail)),
            }
        }
        if faults.is_empty() { Ok(Self { fields: compiled, data }) } else { Err(faults) }
    }

    /// The object for an event as JSON of at most 1 MB. The error names the first field without a value, with the
    /// reason. All fields share one budget. `what` names the object in messages.
    pub fn evaluate(&self, event: &EventValues<'_>, what: &str) -> Result<String, String> {
        let (variables, work) = (Variables::of(event, &self.data)?, Budget::new());
        work.output().push(b"{");
        for (at, (name, expression)) in self.fields.iter().enumerate() {
            if at > 0 {
                work.output().push(b",");
            }
            work.output().push_text(name);
            work.output().push(b":");
            let written = expression.write(&variables, &work);
            // Once the output is too large, only the size of the rest is counted.
            if let Err(error) = written
                && !work.output().is_too_large()
            {
                return Err(format!("`{name}`: {error}"));
            }
        }
        work.output().push(b"}");
        work.into_output(what)
    }
}
