//! Instants in milliseconds since the epoch, written as RFC 3339 in UTC.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// An instant. RFC 3339 can write no year after 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

const LAST_MILLIS: u64 = 253_402_300_799_999;

impl Timestamp {
    /// Regular expression of the texts that [`Self::parse`] reads, if the day exists. It begins with 1971, because some
    /// times of 1970 are in 1969 in UTC.
    pub const PATTERN: &str = "^(197[1-9]|19[89][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T\
        ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

    pub const fn from_millis(millis: u64) -> Self {
        Self(if millis > LAST_MILLIS { LAST_MILLIS } else { millis })
    }

    pub const fn millis(self) -> u64 {
        self.0
    }

    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self::from_millis(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Milliseconds from `earlier` to this instant; 0 if `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Parses an RFC 3339 instant. None for a time before 1970.
    pub fn parse(text: &str) -> Option<Self> {
        let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(instant.unix_timestamp_nanos() / 1_000_000).ok().map(Self::from_millis)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = OffsetDateTime::from_unix_timestamp(self.seconds().cast_signed()).map_err(|_| fmt::Error)?;
        let date = instant.date();
        let (hour, minute, second) = instant.time().as_hms();
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", self.0 % 1000)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("must be an RFC 3339 time"))
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_time_matching_the_pattern_is_parsed_if_the_day_exists(
            text in proptest::string::string_regex(Timestamp::PATTERN.trim_matches(['^', '$'])).unwrap(),
        ) {
            let day: u8 = text[8..10].parse().unwrap();
            proptest::prop_assert!(day > 28 || Timestamp::parse(&text).is_some(), "{}", text);
        }
    }

    #[test]
    fn writes_and_reads_rfc_3339() {
        let instant = Timestamp::from_millis(1_767_225_600_007);
        assert_eq!(instant.to_string(), "2026-01-01T00:00:00.007Z");
        assert_eq!(Timestamp::parse("2026-01-01T02:00:00.007+02:00"), Some(instant));
        assert_eq!(Timestamp::from_millis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::parse("1969-12-31T23:59:59Z"), None);
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
