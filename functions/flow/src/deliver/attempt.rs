//! One attempt: calling the target, and what its answer means.

use super::{
    Deliverer,
    actions::{Ran, words},
};
use crate::{
    request::Prepared,
    webhook::{Body, Outcome, WebhookClient, kept},
};
use bytes::Bytes;
use http::{HeaderMap, header};
use models::{
    StoredDelivery, Timestamp,
    delivery::{Attempt, Reason},
};
use runtime::{Code, Problem, mask::Secrets, metrics::Metric};
use serde_json::Value;
use std::time::Instant;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use url::Url;

/// What an attempt means for its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Succeeded,
    /// It is to be tried again, not before this instant.
    Failed(Option<Timestamp>),
    Dead(Reason),
    /// The target has asked for no more; whether it took this one.
    Gone {
        taken: bool,
    },
    /// Another is at the same: nothing was tried.
    Busy,
}

impl Verdict {
    /// The word for it in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Dead(_) => "dead",
            Self::Gone { .. } => "gone",
            Self::Busy => "busy",
        }
    }

    /// What it counts as; nothing where nothing was tried.
    pub const fn metric(self) -> Option<Metric> {
        match self {
            Self::Succeeded | Self::Gone { taken: true } => Some(Metric::Delivered),
            Self::Failed(_) | Self::Dead(_) | Self::Gone { taken: false } => Some(Metric::Failed),
            Self::Busy => None,
        }
    }
}

/// The verdict, the status, why it failed and the beginning of the answer.
type Judged = (Verdict, Option<u16>, Option<String>, Option<String>);

impl Deliverer {
    /// Calls a target once.
    pub(super) async fn attempt(
        &self,
        now: Timestamp,
        delivery: &StoredDelivery,
        prepared: Prepared,
    ) -> Result<(Verdict, Attempt), Problem> {
        match prepared {
            Prepared::Webhook { url, headers, body } => Ok(post(&self.client, now, &url, headers, body).await),
            Prepared::Action { action, keyed, connection, mut input } => {
                input.insert("connection".to_owned(), Value::String(connection.into()));
                if keyed {
                    let key = format!("{} {}", delivery.id, delivery.retried);
                    input.insert("idempotency_key".to_owned(), Value::String(key));
                }
                let input = serde_json::to_vec(&input).map_err(Problem::internal)?;
                let started = Instant::now();
                let ran = self.actions.run(&action, input).await;
                Ok(attempted(now, started, of_action(ran, now)))
            }
        }
    }
}

/// Calls a webhook once.
pub async fn post(
    client: &WebhookClient,
    now: Timestamp,
    url: &Url,
    headers: HeaderMap,
    body: Bytes,
) -> (Verdict, Attempt) {
    let (started, secrets) = (Instant::now(), secrets(url, &headers));
    let judged = match client.post(url, headers, body).await {
        Ok(outcome) => of_outcome(&outcome, &secrets, now),
        Err(failure) => (Verdict::Failed(None), None, Some(failure.to_string()), None),
    };
    attempted(now, started, judged)
}

fn attempted(at: Timestamp, started: Instant, (verdict, status, error, body): Judged) -> (Verdict, Attempt) {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let error = error.map(|error| kept(error.as_bytes()));
    (verdict, Attempt { at, status, duration_ms, error, body })
}

/// The parts of a call that nobody is shown: a target may repeat what it was sent.
fn secrets(url: &Url, headers: &HeaderMap) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add_url(url);
    for (name, value) in headers.iter().filter(|(_, value)| value.is_sensitive()) {
        secrets.add_header(name.as_str(), value.to_str().unwrap_or_default());
    }
    secrets
}

fn of_outcome(outcome: &Outcome, secrets: &Secrets, now: Timestamp) -> Judged {
    let redirect = matches!(outcome.status, 301 | 302 | 303 | 307 | 308);
    let error = redirect.then(|| "a redirect, which is not followed".to_owned());
    let Body { text, is_cut } = &outcome.body;
    let body = if *is_cut { secrets.masked_cut(text) } else { secrets.masked(text) };
    (of_answer(outcome, now), Some(outcome.status), error, Some(kept(body.as_bytes())))
}

fn of_answer(outcome: &Outcome, now: Timestamp) -> Verdict {
    let taken = (200..300).contains(&outcome.status);
    let no_more = outcome.webhook_delivery.as_deref().is_some_and(|text| text.trim().eq_ignore_ascii_case("disable"));
    match outcome.status {
        410 => Verdict::Gone { taken: false },
        _ if no_more => Verdict::Gone { taken },
        _ if taken => Verdict::Succeeded,
        _ => Verdict::Failed(outcome.retry_after.as_deref().and_then(|text| retry_after(text, now))),
    }
}

/// An action is tried again only where nothing can have happened.
fn of_action(ran: Ran, now: Timestamp) -> Judged {
    match ran {
        Ran::Done(output) => (Verdict::Succeeded, Some(200), None, Some(kept(&output))),
        Ran::NotBegun(error) => (Verdict::Failed(None), None, Some(error), None),
        Ran::Unknown(error) => (Verdict::Dead(Reason::UnknownOutcome), None, Some(error), None),
        Ran::Failed(problem) => {
            (of_problem(&problem, now), Some(problem.code.status().as_u16()), Some(words(&problem)), None)
        }
    }
}

fn of_problem(problem: &Problem, now: Timestamp) -> Verdict {
    let wait = problem.headers.iter().find(|(name, _)| name == header::RETRY_AFTER);
    match problem.code {
        _ if problem.outcome_unknown => Verdict::Dead(Reason::UnknownOutcome),
        Code::IdempotencyInFlight => Verdict::Busy,
        // It was done.
        Code::AnswerTooLarge => Verdict::Succeeded,
        // It was begun with another input; or something of ours failed, be it before the call or after it.
        Code::IdempotencyKeyReused | Code::Internal => Verdict::Dead(Reason::UnknownOutcome),
        Code::PlatformSlowDown | Code::PlatformUnavailable | Code::PlatformTimeout | Code::StoreUnavailable => {
            Verdict::Failed(wait.and_then(|(_, wait)| retry_after(wait.to_str().ok()?, now)))
        }
        _ => Verdict::Dead(Reason::ActionRefused),
    }
}

/// The longest that a target may ask to be left alone, in seconds.
const MOST_RETRY_AFTER: u64 = 86_400;

/// When a `Retry-After` ends, be it seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(text: &str, now: Timestamp) -> Option<Timestamp> {
    let end = match text.trim().parse::<u64>() {
        Ok(seconds) => now.plus_seconds(seconds.min(MOST_RETRY_AFTER)),
        Err(_) => {
            // RFC 2822 knows GMT as one of its obsolete zones.
            let date = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
            Timestamp::from_millis(u64::try_from(date.unix_timestamp()).ok()?.saturating_mul(1000))
        }
    };
    Some(end.min(now.plus_seconds(MOST_RETRY_AFTER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn answer(status: u16, retry_after: Option<&str>, webhook_delivery: Option<&str>) -> Verdict {
        let (retry_after, webhook_delivery) = (retry_after.map(str::to_owned), webhook_delivery.map(str::to_owned));
        of_answer(&Outcome { status, retry_after, webhook_delivery, body: Body::default() }, NOW)
    }

    #[test]
    fn what_an_answer_means() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answer(status, Some("9"), None), Verdict::Succeeded, "{status}");
        }
        for status in [100, 301, 302, 308, 400, 401, 404, 429, 500, 503] {
            assert_eq!(answer(status, None, None), Verdict::Failed(None), "{status}");
        }
        assert_eq!(answer(410, None, None), Verdict::Gone { taken: false });
        assert_eq!(answer(204, None, Some("disable")), Verdict::Gone { taken: true });
        assert_eq!(answer(500, None, Some(" Disable ")), Verdict::Gone { taken: false });
        assert_eq!(answer(500, None, Some("later")), Verdict::Failed(None));
    }

    #[test]
    fn a_target_says_when_it_wants_to_be_asked_again() {
        for (text, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("99999999999", Some(86_400)),
            ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60)),
            ("Fri, 01 Jan 2100 00:00:00 GMT", Some(86_400)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            let end = seconds.map(|seconds| NOW.plus_seconds(seconds));
            assert_eq!(answer(503, Some(text), None), Verdict::Failed(end), "{text}");
        }
    }

    #[test]
    fn an_action_is_tried_again_only_where_nothing_can_have_happened() {
        let failed = |problem: Problem| of_action(Ran::Failed(problem), NOW).0;
        let unknown = |code| Problem { outcome_unknown: true, ..Problem::new(code, "x") };
        for code in Code::ALL {
            let verdict = failed(Problem::new(code, "x"));
            let again = ["platform_slow_down", "platform_unavailable", "platform_timeout", "store_unavailable"];
            match code.as_str() {
                "idempotency_in_flight" => assert_eq!(verdict, Verdict::Busy),
                "answer_too_large" => assert_eq!(verdict, Verdict::Succeeded),
                "idempotency_key_reused" | "internal" => assert_eq!(verdict, Verdict::Dead(Reason::UnknownOutcome)),
                name if again.contains(&name) => assert_eq!(verdict, Verdict::Failed(None), "{name}"),
                name => assert_eq!(verdict, Verdict::Dead(Reason::ActionRefused), "{name}"),
            }
            assert_eq!(failed(unknown(code)), Verdict::Dead(Reason::UnknownOutcome), "{code:?}");
        }
        assert_eq!(failed(Problem::partly_done("x")), Verdict::Dead(Reason::UnknownOutcome));
        let slow = Problem::new(Code::PlatformSlowDown, "x").with_header(header::RETRY_AFTER, 7.into());
        assert_eq!(failed(slow), Verdict::Failed(Some(NOW.plus_seconds(7))));
        assert_eq!(of_action(Ran::NotBegun("x".to_owned()), NOW).0, Verdict::Failed(None));
        assert_eq!(of_action(Ran::Unknown("x".to_owned()), NOW).0, Verdict::Dead(Reason::UnknownOutcome));
    }
}
