//! JSON numbers that neither an int, a uint nor a double holds exactly. They keep their digits: they can be compared, passed on
//! and made a text, but not calculated with.

use cel::common::{
    types::{CelString, Type},
    value::{StaticVal, Val},
};
use models::number::Decimal;
use serde_json::Number;
use std::{any::Any, cmp::Ordering};

static TYPE: Type = Type::new_unspecified_type("long number");

#[derive(Debug, Clone)]
pub struct LongNumber(Number);

impl LongNumber {
    pub const fn new(number: Number) -> Self {
        Self(number)
    }

    pub const fn number(&self) -> &Number {
        &self.0
    }

    /// The number as the event has it.
    pub fn digits(&self) -> &str {
        self.0.as_str()
    }

    /// None for an exponent beyond 64 bits.
    pub fn decimal(&self) -> Option<Decimal> {
        Decimal::parse(self.digits())
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
