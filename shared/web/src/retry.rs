//! The retry policy. Each problem has a verdict, set where the failure arises. Code that repeats calls uses only the
//! verdict, never the HTTP status.

use http::HeaderValue;
use models::Timestamp;
use std::time::{Duration, SystemTime};

/// Verdict on repeating a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing was done, and a retry would be rejected again.
    Never,
    /// Nothing was done, and a retry may succeed, after at least this many seconds.
    After(u64),
    /// The call may have been done. Only an idempotent call can be repeated without a check.
    Unknown,
    /// The first call with the same idempotency key is still running.
    Running,
    /// The call was done; only its answer could not be passed on.
    Done,
}

/// Longest `Retry-After` that is honoured, in seconds: a day.
pub const MAX_RETRY_AFTER: u64 = 86_400;

impl Retry {
    /// `After` without a minimum wait.
    pub const SOON: Self = Self::After(0);

    /// The verdict's name in a problem's JSON. The seconds have their own member.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::After(_) => "after",
            Self::Unknown => "unknown",
            Self::Running => "running",
            Self::Done => "done",
        }
    }

    pub fn parse(name: &str, seconds: Option<u64>) -> Option<Self> {
        let all = [Self::Never, Self::After(seconds.unwrap_or(0)), Self::Unknown, Self::Running, Self::Done];
        all.into_iter().find(|retry| retry.as_str() == name)
    }

    /// The `Retry-After` header in seconds; none if a retry does not help or needs no wait.
    pub const fn seconds(self) -> Option<u64> {
        match self {
            Self::After(seconds) if seconds > 0 => Some(seconds),
            Self::Running => Some(1),
            _ => None,
        }
    }
}

/// Seconds until a `Retry-After` ends, at most a day. It is a number of seconds, or a date in one of HTTP's three forms
/// (RFC 9110, sections 5.6.7 and 10.2.3). None if it is neither.
pub fn retry_after(value: &str, now: Timestamp) -> Option<u64> {
    let value = value.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that overflow mean a long wait, not a missing one.
        value.parse().unwrap_or(u64::MAX)
    } else {
        let end = httpdate::parse_http_date(value).ok()?;
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now.millis());
        end.duration_since(now).map_or(0, |wait| wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
    };
    Some(seconds.min(MAX_RETRY_AFTER))
}

/// Seconds until a `Retry-After` header ends.
pub fn retry_after_header(value: Option<&HeaderValue>, now: Timestamp) -> Option<u64> {
    retry_after(value?.to_str().ok()?, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-28T22:59:00Z.
    const NOW: Timestamp = Timestamp::from_millis(1_795_906_740_000);

    #[test]
    fn a_retry_after_is_seconds_or_a_date_in_any_of_the_three_http_forms() {
        for (text, seconds) in [
            ("120", Some(120)),
            (" 120\t", Some(120)),
            ("0", Some(0)),
            ("007", Some(7)),
            ("86401", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("18446744073709551616", Some(86_400)),
            ("Sat, 28 Nov 2026 23:00:00 GMT", Some(60)),
            ("Saturday, 28-Nov-26 23:00:00 GMT", Some(60)),
            ("Sat Nov 28 23:00:00 2026", Some(60)),
            ("Sun Nov 29 22:59:00 2026", Some(86_400)),
            ("Sat, 01 Jan 2101 00:00:00 GMT", Some(86_400)),
            ("Sat, 28 Nov 2026 22:00:00 GMT", Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("1 2", None),
            ("Sat, 28 Nov 2026 23:00:00", None),
            ("2026-11-28T23:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, NOW), seconds, "{text}");
        }
        let fraction = Timestamp::from_millis(NOW.millis() + 1);
        assert_eq!(retry_after("Sat, 28 Nov 2026 22:59:01 GMT", fraction), Some(1), "never early");
    }

    #[test]
    fn a_verdict_round_trips() {
        for retry in [Retry::Never, Retry::SOON, Retry::After(7), Retry::Unknown, Retry::Running, Retry::Done] {
            assert_eq!(Retry::parse(retry.as_str(), retry.seconds()), Some(retry));
        }
        assert_eq!(Retry::parse("later", None), None);
    }
}
