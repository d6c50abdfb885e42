//! Numbers compared by their exact values. A JSON number that no int, uint or double holds exactly keeps its digits: it
//! can be compared, passed on and converted to a text, but not used in arithmetic. The `cel` crate compares an integer
//! and a double as doubles, so `9007199254740993 == 9007199254740992.0` would be true.

use cel::{
    ExecutionError,
    common::{
        traits::Indexer,
        types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelString, CelUInt, Type},
        value::{StaticVal, Val},
    },
};
use payload::number::Decimal;
use std::{
    any::Any,
    borrow::Cow,
    cmp::Ordering,
    sync::{Arc, OnceLock},
};

static TYPE: Type = Type::new_unspecified_type("long number");

/// A shared number. Its digits may fill a whole body, so a copy must not copy them.
#[derive(Debug, Clone)]
pub struct LongNumber(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    digits: Box<str>,
    /// Parsed on the first comparison. None for an exponent beyond 64 bits.
    decimal: OnceLock<Option<Decimal>>,
}

impl LongNumber {
    pub fn new(digits: &str) -> Self {
        Self(Arc::new(Shared { digits: digits.into(), decimal: OnceLock::new() }))
    }

    /// The number's text in the event.
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
        order(self, other) == Some(Ordering::Equal)
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

/// A number of any type that an expression has.
#[derive(Clone, Copy)]
enum Operand<'a> {
    Integer(i128),
    Double(f64),
    Long(&'a LongNumber),
}

impl<'a> Operand<'a> {
    fn of(value: &'a dyn Val) -> Option<Self> {
        if let Some(int) = value.downcast_ref::<CelInt>() {
            Some(Self::Integer((*int.inner()).into()))
        } else if let Some(uint) = value.downcast_ref::<CelUInt>() {
            Some(Self::Integer((*uint.inner()).into()))
        } else if let Some(double) = value.downcast_ref::<CelDouble>() {
            Some(Self::Double(*double.inner()))
        } else {
            value.downcast_ref::<LongNumber>().map(Self::Long)
        }
    }

    /// The decimal value; for a double, of its text in JSON.
    fn decimal(self) -> Option<Cow<'a, Decimal>> {
        match self {
            Self::Integer(integer) => Decimal::parse(&integer.to_string()).map(Cow::Owned),
            Self::Double(double) => Decimal::of_double(double).map(Cow::Owned),
            Self::Long(number) => number.decimal().map(Cow::Borrowed),
        }
    }

    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(&right)),
            (Self::Double(left), Self::Double(right)) => left.partial_cmp(&right),
            (Self::Integer(left), Self::Double(right)) => order_of_mixed(left, right),
            (Self::Double(left), Self::Integer(right)) => order_of_mixed(right, left).map(Ordering::reverse),
            (Self::Double(double), Self::Long(_)) if double.is_infinite() => double.partial_cmp(&0.0),
            (Self::Long(_), Self::Double(double)) if double.is_infinite() => 0.0_f64.partial_cmp(&double),
            (left, right) => Some(left.decimal()?.cmp(&right.decimal()?)),
        }
    }
}

/// The order of a 64-bit integer and a double.
fn order_of_mixed(integer: i128, double: f64) -> Option<Ordering> {
    let whole = double.trunc();
    let fraction = whole.partial_cmp(&double)?;
    // A cast saturates at the limits of 128 bits, which keeps the order.
    Some(integer.cmp(&(whole as i128)).then(fraction))
}

/// The order of two numbers, texts or bools; none for other values.
pub fn order(left: &dyn Val, right: &dyn Val) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (Operand::of(left), Operand::of(right)) {
        return left.order(right);
    }
    if let (Some(left), Some(right)) = (left.downcast_ref::<CelString<'_>>(), right.downcast_ref::<CelString<'_>>()) {
        return Some(left.inner().cmp(right.inner()));
    }
    let (left, right) = (left.downcast_ref::<CelBool>()?, right.downcast_ref::<CelBool>()?);
    Some(left.inner().cmp(right.inner()))
}

/// The operator `==`. Lists and maps are equal if their items are.
pub fn equals(left: &dyn Val, right: &dyn Val) -> bool {
    if let (Some(left), Some(right)) = (left.downcast_ref::<CelList<'_>>(), right.downcast_ref::<CelList<'_>>()) {
        let (left, right) = (left.inner(), right.inner());
        return left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equals(&**left, &**right));
    }
    if let (Some(left), Some(right)) = (left.downcast_ref::<CelMap<'_>>(), right.downcast_ref::<CelMap<'_>>()) {
        let entries = left.inner().iter();
        let mut alike = entries.map(|(key, value)| right.get(key.inner()).is_ok_and(|other| equals(&**value, &*other)));
        return left.inner().len() == right.inner().len() && alike.all(|alike| alike);
    }
    match (Operand::of(left), Operand::of(right)) {
        (Some(left), Some(right)) => left.order(right) == Some(Ordering::Equal),
        _ => left.equals(right),
    }
}

/// The operator `in`: true if a list has an item, or a map a key.
pub fn is_in(item: &dyn Val, container: &dyn Val) -> Result<bool, ExecutionError> {
    if let Some(list) = container.downcast_ref::<CelList<'_>>() {
        return Ok(list.inner().iter().any(|other| equals(item, &**other)));
    }
    match (container.as_container(), Operand::of(item)) {
        (Some(container), Some(Operand::Double(_) | Operand::Long(_))) => match integer(item) {
            Some(integer) => container.contains(&*integer),
            None => Ok(false),
        },
        (Some(container), _) => container.contains(item),
        (None, _) => Err(no_overload("in", item, container)),
    }
}

/// The integer key of a map that equals a double.
fn integer(number: &dyn Val) -> Option<Box<dyn Val>> {
    let double = *number.downcast_ref::<CelDouble>()?.inner();
    let integer = double as i128;
    if order_of_mixed(integer, double) != Some(Ordering::Equal) {
        return None;
    }
    match i64::try_from(integer) {
        Ok(int) => Some(Box::new(CelInt::from(int))),
        Err(_) => Some(Box::new(CelUInt::from(u64::try_from(integer).ok()?))),
    }
}

/// The error of an operator for operands of these types.
pub fn no_overload(operator: &str, left: &dyn Val, right: &dyn Val) -> ExecutionError {
    let types = [left, right].map(|operand| operand.get_type().name().to_owned());
    ExecutionError::no_such_overload(operator, types.to_vec())
}
