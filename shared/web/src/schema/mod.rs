//! A validator for the part of JSON Schema that Switchboard's schemas use. A complete library has its own regular
//! expression engine, and takes a third of an action's size. Unknown keywords are rejected when the schema is compiled,
//! so that none is ignored.

mod check;
mod normalize;
#[cfg(test)]
mod tests;

use models::Fault;
use payload::number;
use regex_lite::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A compiled schema.
#[derive(Debug)]
pub struct Validator {
    root: Node,
    definitions: BTreeMap<String, Node>,
}

/// The reason why a schema can't be compiled.
#[derive(Debug, thiserror::Error)]
#[error("the schema's `{keyword}` is not supported: {value}")]
pub struct BadSchema {
    keyword: String,
    value: Value,
}

/// A schema's keywords.
type Node = Vec<Keyword>;

#[derive(Debug)]
enum Keyword {
    Never,
    Type(Vec<Type>),
    Enum(Vec<Value>),
    Const(Value),
    Count { of: CountUnit, least: bool, limit: u64 },
    Bound { least: bool, limit: i64 },
    Pattern(Regex),
    Fields { known: Vec<(String, Node)>, others: AdditionalFields },
    Required(Vec<String>),
    Names(Node),
    Items(Node),
    AnyOf(Vec<Node>),
    OneOf(Vec<Node>),
    Not { schema: Value, node: Node },
    Reference(String),
}

/// In the order in which a fault lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

#[derive(Debug, Clone, Copy)]
enum CountUnit {
    Characters,
    Items,
    Fields,
}

/// Rule for fields that are not listed.
#[derive(Debug)]
enum AdditionalFields {
    Unknown,
    Like(Node),
}

const DEFINITIONS: &str = "#/$defs/";

impl Validator {
    pub fn compile(schema: &Value) -> Result<Self, BadSchema> {
        let mut references = Vec::new();
        let definitions = schema.get("$defs").map(|schemas| nodes_by_name("$defs", schemas, &mut references));
        let definitions: BTreeMap<_, _> = definitions.transpose()?.unwrap_or_default().into_iter().collect();
        let root = node(schema, &mut references)?;
        match references.into_iter().find(|name| !definitions.contains_key(*name)) {
            Some(name) => Err(bad("$ref", &Value::from(name))),
            None => Ok(Self { root, definitions }),
        }
    }

    /// Rewrites integers that were sent as 600.0 or 6e2, because Rust's integer types accept one spelling.
    pub fn normalize(&self, value: &mut Value) {
        normalize::normalize(self, &self.root, value);
    }

    /// All faults of a value, each with a pointer to its field. A fault never repeats the value, which may be a secret.
    pub fn faults(&self, value: &Value) -> Vec<Fault> {
        check::faults(self, value)
    }
}

fn bad(keyword: &str, value: &Value) -> BadSchema {
    BadSchema { keyword: keyword.to_owned(), value: value.clone() }
}

fn node<'a>(schema: &'a Value, references: &mut Vec<&'a str>) -> Result<Node, BadSchema> {
    let keywords = match schema {
        Value::Bool(true) => return Ok(Vec::new()),
        Value::Bool(false) => return Ok(vec![Keyword::Never]),
        Value::Object(keywords) => keywords,
        _ => return Err(bad("schema", schema)),
    };
    let mut node = Vec::new();
    for (name, value) in keywords {
        node.extend(keyword(name, value, keywords, references)?);
    }
    Ok(node)
}

fn keyword<'a>(
    name: &str,
    value: &'a Value,
    beside: &'a Map<String, Value>,
    references: &mut Vec<&'a str>,
) -> Result<Option<Keyword>, BadSchema> {
    let unfit = || bad(name, value);
    let count = |of, least| Ok(Keyword::Count { of, least, limit: value.as_u64().ok_or_else(unfit)? });
    let bound = |least| Ok(Keyword::Bound { least, limit: value.as_i64().ok_or_else(unfit)? });
    let keyword = match name {
        "$schema" | "$defs" | "title" | "description" | "default" | "format" | "examples" => return Ok(None),
        // Handled together with `properties`, if there are any.
        "additionalProperties" if beside.contains_key("properties") => return Ok(None),
        "properties" | "additionalProperties" => fields(beside, references)?,
        "type" => Keyword::Type(types(value).ok_or_else(unfit)?),
        "enum" => {
            Keyword::Enum(value.as_array().filter(|values| values.iter().all(is_plain)).ok_or_else(unfit)?.clone())
        }
        "const" if is_plain(value) => Keyword::Const(value.clone()),
        "minLength" => count(CountUnit::Characters, true)?,
        "maxLength" => count(CountUnit::Characters, false)?,
        "minItems" => count(CountUnit::Items, true)?,
        "maxItems" => count(CountUnit::Items, false)?,
        "minProperties" => count(CountUnit::Fields, true)?,
        "maxProperties" => count(CountUnit::Fields, false)?,
        "minimum" => bound(true)?,
        "maximum" => bound(false)?,
        "pattern" => {
            let pattern = value.as_str().and_then(|pattern| Regex::new(pattern).ok());
            Keyword::Pattern(pattern.ok_or_else(unfit)?)
        }
        "required" => {
            let names = value.as_array().ok_or_else(unfit)?.iter().map(|name| name.as_str().map(str::to_owned));
            Keyword::Required(names.collect::<Option<_>>().ok_or_else(unfit)?)
        }
        "propertyNames" => Keyword::Names(node(value, references)?),
        "items" => Keyword::Items(node(value, references)?),
        "anyOf" => Keyword::AnyOf(nodes(name, value, references)?),
        "oneOf" => Keyword::OneOf(nodes(name, value, references)?),
        "not" => Keyword::Not { schema: value.clone(), node: node(value, references)? },
        "$ref" => {
            let definition = value.as_str().and_then(|reference| reference.strip_prefix(DEFINITIONS));
            let definition = definition.ok_or_else(unfit)?;
            references.push(definition);
            Keyword::Reference(definition.to_owned())
        }
        _ => return Err(unfit()),
    };
    Ok(Some(keyword))
}

fn nodes<'a>(name: &str, schemas: &'a Value, references: &mut Vec<&'a str>) -> Result<Vec<Node>, BadSchema> {
    let schemas = schemas.as_array().ok_or_else(|| bad(name, schemas))?;
    schemas.iter().map(|schema| node(schema, references)).collect()
}

fn nodes_by_name<'a>(
    name: &str,
    schemas: &'a Value,
    references: &mut Vec<&'a str>,
) -> Result<Vec<(String, Node)>, BadSchema> {
    let schemas = schemas.as_object().ok_or_else(|| bad(name, schemas))?;
    schemas.iter().map(|(name, schema)| Ok((name.clone(), node(schema, references)?))).collect()
}

fn fields<'a>(keywords: &'a Map<String, Value>, references: &mut Vec<&'a str>) -> Result<Keyword, BadSchema> {
    let known = keywords.get("properties").map(|schemas| nodes_by_name("properties", schemas, references));
    let others = match keywords.get("additionalProperties") {
        None => AdditionalFields::Like(Vec::new()),
        Some(Value::Bool(false)) => AdditionalFields::Unknown,
        Some(schema) => AdditionalFields::Like(node(schema, references)?),
    };
    Ok(Keyword::Fields { known: known.transpose()?.unwrap_or_default(), others })
}

/// True if a value is compared by its text.
fn is_plain(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(_) | Value::String(_))
}

fn types(value: &Value) -> Option<Vec<Type>> {
    let names = match value {
        Value::Array(names) => names.as_slice(),
        name => std::slice::from_ref(name),
    };
    let mut types: Vec<Type> = names.iter().map(|name| Type::of(name.as_str()?)).collect::<Option<_>>()?;
    types.sort_unstable();
    Some(types)
}

impl Type {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Null, "null"),
        (Self::Boolean, "boolean"),
        (Self::Integer, "integer"),
        (Self::Number, "number"),
        (Self::String, "string"),
        (Self::Array, "array"),
        (Self::Object, "object"),
    ];

    fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(found, _)| *found)
    }

    fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn is_of(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null)
            | (Self::Boolean, Value::Bool(_))
            | (Self::Number, Value::Number(_))
            | (Self::String, Value::String(_))
            | (Self::Array, Value::Array(_))
            | (Self::Object, Value::Object(_)) => true,
            // 4711.0 is an integer as well.
            (Self::Integer, Value::Number(number)) => number::is_whole(number),
            _ => false,
        }
    }
}
