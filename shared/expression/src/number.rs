//! JSON numbers that neither an int, a uint nor a double holds exactly. They keep their digits: they can be compared, passed on
//! and made a text, but not calculated with.

use cel::common::{
    types::{CelString, Type},
    value::{StaticVal, Val},
};
use payload::number::Decimal;
use std::{
    any::Any,
    cmp::Ordering,
    sync::{Arc, OnceLock},
};

static TYPE: Type = Type::new_unspecified_type("long number");

/// A shared number: a copy takes no memory for its digits, which may be as many as a body has bytes.
#[derive(Debug, Clone)]
pub struct LongNumber(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    digits: Box<str>,
    /// Parsed by the first comparison. None for an exponent beyond 64 bits.
    decimal: OnceLock<Option<Decimal>>,
}

impl LongNumber {
    pub fn new(digits: &str) -> Self {
        Self(Arc::new(Shared { digits: digits.into(), decimal: OnceLock::new() }))
    }

    /// The number as the event has it.
    pub fn digits(&self) -> &str {
        &self.0.digits
    }

    /// None for an exponent beyond 64 bits.
    pub fn decimal(&self) -> Option<&Decimal> {
        self.0.decimal.get_or_init(|| Decimal::parse(self.digits())).as_ref()
    }
}

impl Val for LongNumber {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn equals(&self, other: &dyn Val) -> bool {
        super::compare::order(self, other) == Some(Ordering::Equal)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for LongNumber {}

/// The function `string` for these numbers.
pub fn string(number: &LongNumber) -> CelString<'static> {
    CelString::from(number.digits().to_owned())
}
