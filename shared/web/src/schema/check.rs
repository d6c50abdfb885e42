//! Checks of a value against a schema. Faults are worded in the caller's terms.

use super::{AdditionalFields, CountUnit, Keyword, Node, Type, Validator};
use models::Fault;
use payload::{mapping::escape, number::Decimal};
use serde_json::{Number, Value};
use std::{cmp::Ordering, slice};

/// A fault at one place of a value.
struct Flaw<'a> {
    at: String,
    kind: FlawKind<'a>,
}

enum FlawKind<'a> {
    Missing(&'a str),
    Unknown(&'a str),
    NotOneOf(&'a [Value]),
    NotEqual(&'a Value),
    Type(&'a [Type]),
    Not(&'a Value),
    /// The flaws by each alternative.
    NoneOf(Vec<Vec<Flaw<'a>>>),
    Name(&'a str, String),
    Other(String),
}

pub fn faults(validator: &Validator, value: &Value) -> Vec<Fault> {
    Check::of(validator, &validator.root, value).flat_map(|flaw| flaw.faults()).collect()
}

impl Validator {
    /// True if a value fits a part of the schema.
    pub(super) fn fits(&self, node: &Node, value: &Value) -> bool {
        Check::of(self, node, value).next().is_none()
    }
}

struct Check<'a> {
    validator: &'a Validator,
    /// JSON Pointer of the value.
    at: String,
    flaws: Vec<Flaw<'a>>,
}

impl<'a> Check<'a> {
    fn of(validator: &'a Validator, node: &'a Node, value: &'a Value) -> impl Iterator<Item = Flaw<'a>> {
        let mut check = Self { validator, at: String::new(), flaws: Vec::new() };
        check.node(node, value);
        check.flaws.into_iter()
    }

    fn found(&mut self, kind: FlawKind<'a>) {
        self.flaws.push(Flaw { at: self.at.clone(), kind });
    }

    fn other(&mut self, message: String) {
        self.found(FlawKind::Other(message));
    }

    fn node(&mut self, node: &'a Node, value: &'a Value) {
        for keyword in node {
            self.keyword(keyword, value);
        }
    }

    /// The flaws of the value by a schema, without adding them to the result.
    fn check_separately(&mut self, node: &'a Node, value: &'a Value) -> Vec<Flaw<'a>> {
        let before = std::mem::take(&mut self.flaws);
        self.node(node, value);
        std::mem::replace(&mut self.flaws, before)
    }

    fn below(&mut self, step: &str, node: &'a Node, value: &'a Value) {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(&escape(step));
        self.node(node, value);
        self.at.truncate(length);
    }

    fn keyword(&mut self, keyword: &'a Keyword, value: &'a Value) {
        match (keyword, value) {
            (Keyword::Never, _) => self.other("False schema does not allow value".to_owned()),
            (Keyword::Type(types), _) if !types.iter().any(|wanted| wanted.is_of(value)) => match value {
                Value::Number(_) if types.contains(&Type::Integer) => {
                    self.other("must be a whole number".to_owned());
                }
                _ => self.found(FlawKind::Type(types)),
            },
            (Keyword::Enum(values), _) if !values.contains(value) => self.found(FlawKind::NotOneOf(values)),
            (Keyword::Const(wanted), _) if wanted != value => self.found(FlawKind::NotEqual(wanted)),
            (Keyword::Count { of, least, limit }, _) => self.count(*of, *least, *limit, value),
            (Keyword::Bound { least, limit }, Value::Number(number)) if is_beyond(number, *least, *limit) => {
                let (is, end) = if *least { ("less", "minimum") } else { ("greater", "maximum") };
                self.other(format!("value is {is} than the {end} of {limit}"));
            }
            (Keyword::Pattern(pattern), Value::String(text)) if !pattern.is_match(text) => {
                self.other(format!("value does not match \"{}\"", pattern.as_str()));
            }
            (Keyword::Fields { known, others }, Value::Object(fields)) => {
                for (name, value) in fields {
                    match (known.iter().find(|(known, _)| known == name), others) {
                        (Some((_, node)), _) | (None, AdditionalFields::Like(node)) => self.below(name, node, value),
                        (None, AdditionalFields::Unknown) => self.found(FlawKind::Unknown(name)),
                    }
                }
            }
            (Keyword::Required(names), Value::Object(fields)) => {
                for name in names.iter().filter(|name| !fields.contains_key(*name)) {
                    self.found(FlawKind::Missing(name));
                }
            }
            (Keyword::Names(node), Value::Object(fields)) => {
                for name in fields.keys() {
                    for detail in
                        Check::of(self.validator, node, &Value::from(name.as_str())).map(|flaw| flaw.of_name())
                    {
                        self.found(FlawKind::Name(name, detail));
                    }
                }
            }
            (Keyword::Items(node), Value::Array(items)) => {
                for (place, item) in items.iter().enumerate() {
                    self.below(&place.to_string(), node, item);
                }
            }
            (Keyword::AnyOf(nodes), _) => {
                let found: Vec<_> = nodes.iter().map(|node| self.check_separately(node, value)).collect();
                if !found.iter().any(Vec::is_empty) {
                    self.found(FlawKind::NoneOf(found));
                }
            }
            (Keyword::OneOf(nodes), _) => {
                let found: Vec<_> = nodes.iter().map(|node| self.check_separately(node, value)).collect();
                match found.iter().filter(|flaws| flaws.is_empty()).count() {
                    0 => self.found(FlawKind::NoneOf(found)),
                    1 => {}
                    _ => self.other(
                        "value is valid under more than one of the schemas listed in the 'oneOf' keyword".to_owned(),
                    ),
                }
            }
            (Keyword::Not { schema, node }, _) if self.check_separately(node, value).is_empty() => {
                self.found(FlawKind::Not(schema))
            }
            (Keyword::Reference(name), _) => {
                if let Some(node) = self.validator.definitions.get(name) {
                    self.node(node, value);
                }
            }
            _ => {}
        }
    }

    fn count(&mut self, of: CountUnit, least: bool, limit: u64, value: &Value) {
        let (count, one, many) = match (of, value) {
            (CountUnit::Characters, Value::String(text)) => (text.chars().count(), "character", "characters"),
            (CountUnit::Items, Value::Array(items)) => (items.len(), "item", "items"),
            (CountUnit::Fields, Value::Object(fields)) => (fields.len(), "property", "properties"),
            _ => return,
        };
        let count = count as u64;
        let what = if limit == 1 { one } else { many };
        if least && count < limit {
            let has = if one == "character" { "is shorter" } else { "has less" };
            self.other(format!("value {has} than {limit} {what}"));
        } else if !least && count > limit {
            let has = if one == "character" { "is longer" } else { "has more" };
            self.other(format!("value {has} than {limit} {what}"));
        }
    }
}

fn is_beyond(number: &Number, least: bool, limit: i64) -> bool {
    let order = match (number.as_i64(), number.as_u64()) {
        (Some(whole), _) => whole.cmp(&limit),
        (None, Some(_)) => Ordering::Greater,
        (None, None) => match (Decimal::parse(number.as_str()), Decimal::parse(&limit.to_string())) {
            (Some(number), Some(limit)) => number.cmp(&limit),
            _ => return true,
        },
    };
    if least { order.is_lt() } else { order.is_gt() }
}

impl<'a> Flaw<'a> {
    fn faults(&self) -> Vec<Fault> {
        let here = |detail: String| vec![Fault::new(self.at.as_str(), detail)];
        let field = |name: &str, detail: &str| vec![Fault::new(format!("{}/{}", self.at, escape(name)), detail)];
        match &self.kind {
            FlawKind::Missing(name) => field(name, "is required"),
            FlawKind::Unknown(name) => field(name, "is not a known field"),
            FlawKind::Name(name, detail) => field(name, detail),
            FlawKind::NotOneOf(values) => here(format!("must be one of {}", list(values.iter()))),
            FlawKind::NoneOf(alternatives) => {
                match alternatives.iter().flatten().map(Self::wanted).collect::<Option<Vec<_>>>() {
                    Some(wanted) => here(format!("must be one of {}", list(wanted.into_iter().flatten()))),
                    // An optional field is "this or null": the alternative that is not null explains the fault.
                    None => {
                        let deepest =
                            alternatives.iter().max_by_key(|flaws| flaws.iter().map(Self::depth).max().unwrap_or(0));
                        deepest.into_iter().flatten().flat_map(Self::faults).collect()
                    }
                }
            }
            _ => here(self.message()),
        }
    }

    /// The expected values, if that is the flaw.
    fn wanted(&self) -> Option<&'a [Value]> {
        match self.kind {
            FlawKind::NotEqual(value) => Some(slice::from_ref(value)),
            FlawKind::NotOneOf(values) => Some(values),
            _ => None,
        }
    }

    fn depth(&self) -> usize {
        let null = matches!(self.kind, FlawKind::Type([Type::Null]));
        self.at.len() * 2 + usize::from(!null)
    }

    /// The fault of a field's name.
    fn of_name(&self) -> String {
        match self.kind {
            FlawKind::Not(_) => "has a name that is reserved".to_owned(),
            _ => format!("has a name that is not allowed: {}", self.message()),
        }
    }

    fn message(&self) -> String {
        match &self.kind {
            FlawKind::Type([one]) => format!("value is not of type \"{}\"", one.name()),
            FlawKind::Type(types) => {
                let names: Vec<_> = types.iter().map(|one| format!("\"{}\"", one.name())).collect();
                format!("value is not of types {}", names.join(", "))
            }
            FlawKind::NotEqual(value) => format!("{value} was expected"),
            FlawKind::Not(schema) => format!("{schema} is not allowed for value"),
            FlawKind::Other(message) => message.clone(),
            FlawKind::NotOneOf(values) => format!("value is not one of {}", list(values.iter())),
            FlawKind::Missing(_) | FlawKind::Unknown(_) | FlawKind::NoneOf(_) | FlawKind::Name(..) => {
                "value does not fit".to_owned()
            }
        }
    }
}

fn list<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    format!("[{}]", values.map(ToString::to_string).collect::<Vec<_>>().join(","))
}
