//! Decimal values of JSON numbers. A double holds few of them exactly, so numbers are compared and checked as decimals.

use serde_json::Number;
use std::cmp::Ordering;

/// A decimal number: `0.digits × 10^point`, without zeros at either end of the digits. Zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    is_negative: bool,
    digits: String,
    point: i64,
}

impl Decimal {
    /// Parses a JSON number. None for an exponent beyond 64 bits.
    pub fn parse(token: &str) -> Option<Self> {
        let (is_negative, token) = token.strip_prefix('-').map_or((false, token), |rest| (true, rest));
        let (mantissa, exponent) = match token.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (token, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        let significant = digits.trim_start_matches('0');
        let point = whole.len() as i64 - (digits.len() - significant.len()) as i64;
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits, point: 0 });
        }
        Some(Self { is_negative, digits, point: exponent.checked_add(point)? })
    }

    /// The decimal value of a finite double, from the shortest text that parses as this double.
    pub fn of_double(double: f64) -> Option<Self> {
        Number::from_f64(double).and_then(|number| Self::parse(number.as_str()))
    }

    fn integer(&self) -> Option<i64> {
        let zeros = usize::try_from(self.point).ok()?.checked_sub(self.digits.len())?;
        if self.point > MAX_DIGITS {
            return None;
        }
        let text = format!("{}0{}{}", if self.is_negative { "-" } else { "" }, self.digits, "0".repeat(zeros));
        text.parse().ok()
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = || (self.point, &self.digits).cmp(&(other.point, &other.digits));
        self.sign().cmp(&other.sign()).then_with(|| match self.sign() {
            -1 => magnitude().reverse(),
            _ => magnitude(),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A number as a double, if the double in JSON has the same value: `0.10`, but not `0.1000000000000000001`.
pub fn double(number: &Number) -> Option<f64> {
    let double = number.as_f64()?;
    let token = number.as_str();
    let is_exact = Number::from_f64(double)?.as_str() == token || Decimal::parse(token) == Decimal::of_double(double);
    is_exact.then_some(double)
}

/// Number of digits of [`EXACT_INTEGERS`].
const MAX_DIGITS: i64 = 16;
/// Doubles hold every integer below this exactly. A larger one that was written as a fraction may have been rounded.
pub const EXACT_INTEGERS: i64 = 9_007_199_254_740_992;

/// The integer value of a number with a fraction or an exponent: 600.0, 6e2.
pub fn integer(number: &Number) -> Option<i64> {
    if !number.as_str().contains(['.', 'e', 'E']) {
        return None;
    }
    Decimal::parse(number.as_str())?.integer().filter(|integer| integer.abs() < EXACT_INTEGERS)
}

/// True for a number without a fractional part, however it is written.
pub fn is_whole(number: &Number) -> bool {
    let token = number.as_str();
    !token.contains(['.', 'e', 'E'])
        || Decimal::parse(token).is_some_and(|decimal| decimal.point >= decimal.digits.len() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(token: &str) -> Decimal {
        Decimal::parse(token).unwrap()
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let ordered = [
            "-1e400",
            "-18446744073709551616",
            "-2",
            "-1.5",
            "-1e-400",
            "0",
            "5e-324",
            "1e-5",
            "0.099",
            "0.1",
            "0.100000000000000000001",
            "1",
            "9007199254740992",
            "9007199254740993",
            "9007199254740993.5",
            "1e20",
            "100000000000000000001",
            "1e400",
        ];
        for (at, left) in ordered.iter().enumerate() {
            for (other, right) in ordered.iter().enumerate() {
                assert_eq!(decimal(left).cmp(&decimal(right)), at.cmp(&other), "{left} {right}");
            }
        }
        for (left, right) in [("1.0", "1"), ("1e2", "100"), ("-0", "0.0e9"), ("0.10", "1E-1"), ("12e+1", "120")] {
            assert_eq!(decimal(left), decimal(right));
        }
        assert_eq!(Decimal::parse("1e99999999999999999999"), None);
    }

    #[test]
    fn a_double_is_exact_if_its_text_has_the_same_value() {
        let number = |token: &str| serde_json::from_str::<Number>(token).unwrap();
        for token in ["0.1", "0.10", "1.0", "1e20", "100000000000000000000", "5e-324", "-0.0", "1e22", "2.50e1"] {
            assert_eq!(double(&number(token)), token.parse().ok(), "{token}");
        }
        for token in ["100000000000000000001", "42.000000000000000001", "0.10000000000000001", "1e400", "1e-400"] {
            assert_eq!(double(&number(token)), None, "{token}");
        }
    }

    #[test]
    fn an_integer_may_be_written_as_a_fraction() {
        let number = |token: &str| serde_json::from_str::<Number>(token).unwrap();
        for (token, expected) in [
            ("600.0", Some(600)),
            ("6e2", Some(600)),
            ("-42.000", Some(-42)),
            ("0.0", Some(0)),
            ("0e5", Some(0)),
            ("42.000000000000000001", None),
            ("1e300", None),
            ("0.5", None),
            ("600", None),
            ("9007199254740991.0", Some(9_007_199_254_740_991)),
            ("9007199254740992.0", None),
            ("1e16", None),
        ] {
            assert_eq!(integer(&number(token)), expected, "{token}");
        }
        for token in ["1e400000000", "1e-400000000", "-7e9223372036854775806", "7e-9223372036854775808"] {
            assert_eq!(integer(&number(token)), None, "{token}");
            assert_eq!(double(&number(token)), None, "{token}");
            assert_eq!(is_whole(&number(token)), !token.contains("e-"), "{token}");
        }
        assert!(is_whole(&number("100000000000000000001.0")) && !is_whole(&number("42.000000000000000001")));
    }
}
