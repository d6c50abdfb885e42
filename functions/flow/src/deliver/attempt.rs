//! One attempt: a call of the target, and the verdict on its answer.

use super::Deliverer;
use crate::request::Prepared;
use app::{
    App,
    functions::{InvokeOutcome, function_of},
};
use aws::metrics::Metric;
use bytes::Bytes;
use client::mask::Secrets;
use http::HeaderMap;
use models::{
    ConnectionId, Effect, Fault, StoredDelivery, Timestamp,
    delivery::{Attempt, Reason},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Instant;
use url::Url;
use web::{
    Problem, Retry,
    retry::{MAX_RETRY_AFTER, retry_after},
};
use webhook::{Body, TargetAnswer, WebhookClient, kept};

/// Consequence of an attempt for its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Succeeded,
    /// Retried, not before this time.
    Failed(Option<Timestamp>),
    Dead(Reason),
    /// The target refuses further calls. `taken` is true if it accepted this one.
    Gone {
        taken: bool,
    },
    /// Another call with the same idempotency key is running, so nothing was attempted.
    Busy,
}

impl Verdict {
    /// The verdict's name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Dead(_) => "dead",
            Self::Gone { .. } => "gone",
            Self::Busy => "busy",
        }
    }

    /// The verdict's metric; none if nothing was attempted.
    pub const fn metric(self) -> Option<Metric> {
        match self {
            Self::Succeeded | Self::Gone { taken: true } => Some(Metric::Delivered),
            Self::Failed(_) | Self::Dead(_) | Self::Gone { taken: false } => Some(Metric::Failed),
            Self::Busy => None,
        }
    }
}

/// Verdict, status, error and the beginning of the answer.
pub(super) type Judged = (Verdict, Option<u16>, Option<String>, Option<String>);

impl Deliverer {
    /// Calls a target once.
    pub(super) async fn attempt(
        &self,
        app: &App,
        delivery: &StoredDelivery,
        prepared: Prepared,
    ) -> Result<(Verdict, Attempt), Problem> {
        let now = app.now();
        match prepared {
            Prepared::Webhook { url, headers, body } => Ok(post(&self.client, now, &url, headers, body).await),
            Prepared::Action { action, effect, keyed, connection, input } => {
                let key = keyed.then(|| format!("{} {}", delivery.id, delivery.manual_retries));
                // Routes of earlier releases have no effect stored.
                let effect = effect.unwrap_or(if keyed { Effect::NotIdempotent } else { Effect::Safe });
                let is_repeatable = effect.of(&method_of(&input)).is_repeatable();
                let input = input_of(&input, &connection, key.as_deref());
                let started = Instant::now();
                let outcome = self.functions.invoke(&function_of(&action), input).await;
                Ok(attempted(now, started, judge_action(outcome, is_repeatable, answered_at(now, started))))
            }
            Prepared::Aws(message) => {
                let key = format!("{}-{}", delivery.id, delivery.manual_retries);
                self.send_to_aws(app, &message, &key).await
            }
        }
    }
}

/// The `method` of an input. The effect of `call-api` depends on it.
fn method_of(input: &str) -> Value {
    #[derive(Deserialize)]
    struct Input {
        method: Option<Value>,
    }
    json!({ "method": serde_json::from_str::<Input>(input).ok().and_then(|input| input.method) })
}

/// An action's input with its connection and its idempotency key. The JSON is edited as text, because parsed values
/// would take many times its size.
fn input_of(fields: &str, connection: &ConnectionId, key: Option<&str>) -> Vec<u8> {
    let begin = fields.strip_suffix('}').unwrap_or_default();
    let comma = if begin.ends_with('{') { "" } else { "," };
    let key = key.map(|key| format!(",\"idempotency_key\":{}", Value::from(key)));
    let connection = Value::from(connection.as_str());
    format!("{begin}{comma}\"connection\":{connection}{}}}", key.unwrap_or_default()).into_bytes()
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
        Ok(outcome) => judge_answer(&outcome, &secrets, answered_at(now, started)),
        Err(failure) => (Verdict::Failed(None), None, Some(failure.to_string()), None),
    };
    attempted(now, started, judged)
}

/// The time of the answer, from which a `Retry-After` counts.
pub(super) fn answered_at(at: Timestamp, started: Instant) -> Timestamp {
    let millis = started.elapsed().as_micros().div_ceil(1_000);
    Timestamp::from_millis(at.millis().saturating_add(u64::try_from(millis).unwrap_or(u64::MAX)))
}

pub(super) fn attempted(at: Timestamp, started: Instant, (verdict, status, error, body): Judged) -> (Verdict, Attempt) {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let error = error.map(|error| kept(error.as_bytes()));
    (verdict, Attempt { at, status, duration_ms, error, body })
}

/// The secrets of a call. A target may repeat them in its answer.
fn secrets(url: &Url, headers: &HeaderMap) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add_url(url);
    for (name, value) in headers.iter().filter(|(_, value)| value.is_sensitive()) {
        secrets.add_header(name.as_str(), value.to_str().unwrap_or_default());
    }
    secrets
}

fn judge_answer(outcome: &TargetAnswer, secrets: &Secrets, now: Timestamp) -> Judged {
    let redirect = matches!(outcome.status, 301 | 302 | 303 | 307 | 308);
    let error = redirect.then(|| "the target answered a redirect, which is not followed".to_owned());
    let Body { text, is_cut } = &outcome.body;
    let body = if *is_cut { secrets.masked_cut(text) } else { secrets.masked(text) };
    (verdict_of_answer(outcome, now), Some(outcome.status), error, Some(kept(body.as_bytes())))
}

fn verdict_of_answer(outcome: &TargetAnswer, now: Timestamp) -> Verdict {
    let taken = (200..300).contains(&outcome.status);
    let is_unsubscribed =
        outcome.webhook_delivery.as_deref().is_some_and(|text| text.trim().eq_ignore_ascii_case("disable"));
    match outcome.status {
        410 => Verdict::Gone { taken: false },
        _ if is_unsubscribed => Verdict::Gone { taken },
        _ if taken => Verdict::Succeeded,
        _ => {
            let wait = outcome.retry_after.as_deref().and_then(|text| retry_after(text, now));
            Verdict::Failed(wait.map(|seconds| now.plus_seconds(seconds)))
        }
    }
}

/// The verdict on an action's outcome. After an unknown outcome, the call is repeated if that does no harm.
fn judge_action(outcome: InvokeOutcome, is_repeatable: bool, now: Timestamp) -> Judged {
    let verdict_of_retry = |retry| match retry {
        Retry::Never => Verdict::Dead(Reason::ActionRefused),
        Retry::After(0) => Verdict::Failed(None),
        Retry::After(seconds) => Verdict::Failed(Some(now.plus_seconds(seconds.min(MAX_RETRY_AFTER)))),
        Retry::Unknown if is_repeatable => Verdict::Failed(None),
        Retry::Unknown => Verdict::Dead(Reason::UnknownOutcome),
        Retry::Running => Verdict::Busy,
        Retry::Done => Verdict::Succeeded,
    };
    match outcome {
        InvokeOutcome::Done(output) => (Verdict::Succeeded, Some(200), None, Some(kept(&output))),
        InvokeOutcome::NotStarted(error) => (verdict_of_retry(Retry::SOON), None, Some(error), None),
        InvokeOutcome::Unknown(error) => (verdict_of_retry(Retry::Unknown), None, Some(error), None),
        InvokeOutcome::Failed(problem) => {
            let status = problem.code.status().as_u16();
            (verdict_of_retry(problem.retry), Some(status), Some(problem_text(&problem)), None)
        }
    }
}

/// A problem as text, for the list of attempts. Its detail omits the faults if there are several.
fn problem_text(problem: &Problem) -> String {
    let several = if problem.errors.len() > 1 { problem.errors.as_slice() } else { &[] };
    let faults = several.iter().map(|Fault { pointer, detail }| format!("; {pointer}: {detail}"));
    format!("{}: {}{}", problem.code.as_str(), problem.detail, faults.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use web::Code;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn answer(status: u16, retry_after: Option<&str>, webhook_delivery: Option<&str>) -> Verdict {
        let (retry_after, webhook_delivery) = (retry_after.map(str::to_owned), webhook_delivery.map(str::to_owned));
        verdict_of_answer(&TargetAnswer { status, retry_after, webhook_delivery, body: Body::default() }, NOW)
    }

    #[test]
    fn verdicts_by_status() {
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
    fn a_retry_after_header_delays_the_next_attempt() {
        for (text, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("99999999999", Some(86_400)),
            ("Thu, 01 Jan 2026 00:01:00 GMT", Some(60)),
            ("Fri, 01 Jan 2100 00:00:00 GMT", Some(86_400)),
            ("soon", None),
            ("-5", None),
            ("", None),
            ("Thursday, 01-Jan-26 00:01:00 GMT", Some(60)),
            ("Thu Jan  1 00:01:00 2026", Some(60)),
            ("99999999999999999999999", Some(86_400)),
        ] {
            let end = seconds.map(|seconds| NOW.plus_seconds(seconds));
            assert_eq!(answer(503, Some(text), None), Verdict::Failed(end), "{text}");
        }
    }

    #[test]
    fn an_actions_problem_is_retried_by_its_verdict() {
        let failed = |retry| InvokeOutcome::Failed(Problem::new(Code::PlatformRejected, "x").retried(retry));
        for is_repeatable in [true, false] {
            let unknown = if is_repeatable { Verdict::Failed(None) } else { Verdict::Dead(Reason::UnknownOutcome) };
            for (outcome, verdict) in [
                (failed(Retry::Never), Verdict::Dead(Reason::ActionRefused)),
                (failed(Retry::SOON), Verdict::Failed(None)),
                (failed(Retry::Unknown), unknown),
                (failed(Retry::Running), Verdict::Busy),
                (failed(Retry::Done), Verdict::Succeeded),
                (InvokeOutcome::NotStarted("x".to_owned()), Verdict::Failed(None)),
                (InvokeOutcome::Unknown("x".to_owned()), unknown),
                (InvokeOutcome::Done(Vec::new()), Verdict::Succeeded),
            ] {
                assert_eq!(judge_action(outcome, is_repeatable, NOW).0, verdict);
            }
        }
        for (seconds, wait) in [(1, 1), (7, 7), (86_400, 86_400), (u64::MAX, 86_400)] {
            let until = Verdict::Failed(Some(NOW.plus_seconds(wait)));
            assert_eq!(judge_action(failed(Retry::After(seconds)), false, NOW).0, until);
        }
    }
}
