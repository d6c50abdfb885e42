//! Strict input: a body is checked against its JSON Schema, with all faults in one answer; a query against its declared
//! parameters.

use crate::{Code, Problem, Query, Request, cursor, schema::Validator};
use models::Fault;
use payload::{body::is_deeper, number::is_whole};
use schemars::{JsonSchema, Schema, schema_for};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Largest number of faults in an answer, to keep it small.
const MAX_FAULTS: usize = 1_000;
/// Deepest nesting of a body, in levels: more than a webhook's, because its body may be passed on inside an action's input.
const MAX_LEVELS: usize = 96;
pub const DEFAULT_LIMIT: usize = 20;
pub const MAX_LIMIT: usize = 100;
/// Longest position in bytes: DynamoDB's limit for a sort key.
pub(crate) const MAX_POSITION_BYTES: usize = 1024;
/// Longest cursor, in characters.
pub const MAX_CURSOR: usize = cursor::length(MAX_POSITION_BYTES);

/// Parses a body that must fit the schema of its type.
pub fn body<T: DeserializeOwned + JsonSchema>(request: &Request) -> Result<T, Problem> {
    body_with(request, |_| Ok(Vec::new()))
}

/// Parses a body that must fit the schema of its type and pass a further check.
pub fn body_with<T: DeserializeOwned + JsonSchema>(
    request: &Request,
    check: impl FnOnce(&mut Value) -> Result<Vec<Fault>, Problem>,
) -> Result<T, Problem> {
    typed(&checked(request.body(), &validator(&schema_for!(T))?, check)?)
}

/// Parses a body as JSON, with the same checks.
pub fn checked(
    body: &[u8],
    validator: &Validator,
    check: impl FnOnce(&mut Value) -> Result<Vec<Fault>, Problem>,
) -> Result<Value, Problem> {
    let mut value = parse(body)?;
    let mut found = validator.faults(&value);
    if found.is_empty() {
        validator.normalize(&mut value);
    }
    found.extend(check(&mut value)?);
    finish(found)?;
    Ok(value)
}

/// Checks a part of the body whose schema depends on the rest.
pub fn part_faults(value: &Value, at: &str, schema: Option<Schema>) -> Result<Vec<Fault>, Problem> {
    let (Some(part @ Value::Object(_)), Some(schema)) = (value.pointer(at), schema) else { return Ok(Vec::new()) };
    let of_part = validator(&schema)?.faults(part).into_iter();
    Ok(of_part.map(|fault| Fault { pointer: format!("{at}{}", fault.pointer), ..fault }).collect())
}

/// Rewrites integers in a part of the body that its schema declares as such, if the part has no fault.
pub fn normalize_part(value: &mut Value, at: &str, schema: &Schema) -> Result<(), Problem> {
    if let Some(part) = value.pointer_mut(at) {
        validator(schema)?.normalize(part);
    }
    Ok(())
}

/// Parses a body that must fit the schema of its type. An empty body counts as `{}`.
pub fn optional_body<T: DeserializeOwned + JsonSchema>(request: &Request) -> Result<T, Problem> {
    let body = if request.body().is_empty() { b"{}" } else { &request.body()[..] };
    typed(&checked(body, &validator(&schema_for!(T))?, |_| Ok(Vec::new()))?)
}

pub(crate) fn parse(body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() {
        return Err(Problem::new(Code::BadJson, "the body is empty"));
    }
    let value = serde_json::from_slice(body).map_err(|error| Problem::new(Code::BadJson, error.to_string()))?;
    if is_deeper(&value, MAX_LEVELS) {
        return Err(Problem::new(Code::BadJson, format!("the body is nested more than {MAX_LEVELS} levels deep")));
    }
    Ok(value)
}

/// Compiles a schema. This takes longer than checking a body.
pub fn validator(schema: &Schema) -> Result<Validator, Problem> {
    Validator::compile(schema.as_value()).map_err(Problem::internal)
}

fn finish(mut faults: Vec<Fault>) -> Result<(), Problem> {
    if faults.is_empty() {
        return Ok(());
    }
    faults.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    faults.dedup();
    faults.truncate(MAX_FAULTS);
    Err(Problem::invalid_body(faults))
}

/// Converts a value that fits its type's schema to that type.
pub fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = format!("/{}", error.path().to_string().replace('.', "/"));
        let message = error.inner().to_string();
        // The errors of serde_json for a number beyond 64 bits, or a fraction.
        let is_of_number = NUMBER_ERRORS.iter().any(|start| message.starts_with(start));
        let message = match value.pointer(&pointer) {
            Some(Value::Number(number)) if is_of_number && is_whole(number) => {
                "must be a number of at most 64 bits".to_owned()
            }
            Some(Value::Number(_)) if is_of_number => "must be a whole number".to_owned(),
            _ => message,
        };
        Problem::invalid_body(vec![Fault::new(pointer, message)])
    })
}

const NUMBER_ERRORS: [&str; 3] = ["invalid number", "invalid type: number", "invalid type: floating point"];

pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// Rejects parameters that the route does not have, and duplicates.
pub fn check_query(query: &str, known: &[Query]) -> Result<(), Problem> {
    let mut seen = Vec::new();
    for (name, value) in pairs(query) {
        if !known.iter().any(|parameter| parameter.name == name) {
            return Err(Problem::invalid_query(&name, "is not a parameter of this route"));
        }
        if seen.contains(&name) {
            return Err(Problem::invalid_query(&name, "must not be repeated"));
        }
        // A filter that a script left empty must not widen the result.
        if value.is_empty() {
            return Err(Problem::invalid_query(&name, "must not be empty; give a value or leave it out"));
        }
        seen.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Numbers {
        #[serde(rename = "unsigned")]
        _unsigned: Option<u64>,
        #[serde(rename = "signed")]
        _signed: Option<i64>,
        #[serde(rename = "small")]
        _small: Option<u8>,
    }

    #[test]
    fn a_number_outside_its_type_has_a_plain_message() {
        for field in ["unsigned", "signed", "small"] {
            for (number, message) in [
                ("5.5", "must be a whole number"),
                ("1e-3", "must be a whole number"),
                ("100000000000000000001", "must be a number of at most 64 bits"),
                ("9007199254740993.0", "must be a number of at most 64 bits"),
                ("1e400000000", "must be a number of at most 64 bits"),
                ("-340282366920938463463374607431768211457", "must be a number of at most 64 bits"),
            ] {
                let input = serde_json::from_str(&format!("{{\"{field}\":{number}}}")).unwrap();
                let problem = typed::<Numbers>(&input).unwrap_err();
                println!("{:?}", problem.errors);
                let fault = &problem.errors[0];
                assert_eq!((&*fault.pointer, &*fault.detail), (&*format!("/{field}"), message), "{number}");
            }
        }
    }
}
