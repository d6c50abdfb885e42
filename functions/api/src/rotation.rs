//! Rotation of a hook's URL or a route's secret, and the limit on concurrently valid secrets.

use models::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use store::{hooks::Token, routes::SealedSecret};
use web::{Code, Problem, Retry};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rotation {
    /// Grace period of the old secret in seconds; 0 ends it immediately.
    #[serde(default = "a_day")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub grace_seconds: u64,
}

const fn a_day() -> u64 {
    86_400
}

/// Limit on valid secrets: the newest, and those in their grace period. Each of a route's secrets adds a signature to
/// the header.
const MAX_VALID: usize = 5;

/// A secret that can be rotated.
pub trait Rotated {
    fn expires_at(&mut self) -> &mut Option<Timestamp>;
}

impl Rotated for Token {
    fn expires_at(&mut self) -> &mut Option<Timestamp> {
        &mut self.expires_at
    }
}

impl Rotated for SealedSecret {
    fn expires_at(&mut self) -> &mut Option<Timestamp> {
        &mut self.expires_at
    }
}

impl Rotation {
    /// Lets the secrets expire after the grace period, and drops expired ones. 409 if the limit is reached.
    pub fn make_room<S: Rotated>(&self, secrets: &mut Vec<S>, now: Timestamp) -> Result<(), Problem> {
        let end = now.plus_seconds(self.grace_seconds);
        let ends_all = self.grace_seconds == 0;
        secrets.retain_mut(|secret| secret.expires_at().is_none_or(|end| now < end));
        let mut ends: Vec<Timestamp> = secrets.iter_mut().filter_map(|secret| *secret.expires_at()).collect();
        for secret in secrets.iter_mut() {
            // A secret in its grace period keeps the end that its own rotation promised.
            let expires_at = secret.expires_at();
            *expires_at = Some(expires_at.filter(|_| !ends_all).unwrap_or(end));
        }
        secrets.retain_mut(|secret| secret.expires_at().is_some_and(|end| now < end));
        if secrets.len() < MAX_VALID {
            return Ok(());
        }
        ends.sort();
        let excess = secrets.len() - MAX_VALID;
        Err(ends.get(excess).map_or_else(|| Problem::internal("a secret without an end"), |end| full(*end, now)))
    }
}

fn full(end: Timestamp, now: Timestamp) -> Problem {
    let seconds = end.millis_since(now).div_ceil(1_000);
    let detail = format!(
        "at most {MAX_VALID} are valid at a time, including those in their grace period; rotate again at {end}, or now \
         with grace_seconds 0, which ends all but the new one"
    );
    Problem::new(Code::TooManySecrets, detail).retried(Retry::After(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(ends: &[Option<u64>]) -> Vec<SealedSecret> {
        let ends = ends.iter().map(|end| end.map(Timestamp::from_millis));
        ends.map(|expires_at| SealedSecret { sealed: String::new(), expires_at }).collect()
    }

    #[test]
    fn a_sixth_secret_is_refused_until_an_earlier_one_expires() {
        let now = Timestamp::from_millis(100_000);
        for (ends, grace_seconds, waits) in [
            (vec![None], 60, None),
            (vec![None, Some(160_000), Some(150_000), Some(140_000)], 60, None),
            (vec![None, Some(160_000), Some(150_000), Some(140_000), Some(130_500)], 60, Some(31)),
            (vec![None, Some(130_000), Some(140_000), Some(150_000), Some(160_000)], 1, Some(30)),
            (vec![None, Some(160_000), Some(150_000), Some(140_000), Some(130_500)], 0, None),
            // A secret is invalid from its end on.
            (vec![None, Some(160_000), Some(150_000), Some(140_000), Some(100_000)], 60, None),
            // A hook of an earlier release may have more.
            (vec![None, Some(160_000), Some(150_000), Some(140_000), Some(130_000), Some(120_000)], 60, Some(30)),
        ] {
            let mut kept = secrets(&ends);
            let made = Rotation { grace_seconds }.make_room(&mut kept, now);
            let wait = made.as_ref().err().map(|problem| problem.retry.seconds().unwrap());
            assert_eq!(wait, waits, "{ends:?}");
            assert!(made.is_err() || kept.len() < MAX_VALID, "{ends:?}");
            assert!(made.is_err() || kept.iter().all(|secret| secret.expires_at.is_some()), "{ends:?}");
        }
    }

    #[test]
    fn a_later_rotation_does_not_change_when_an_earlier_secret_expires() {
        let now = Timestamp::from_millis(100_000);
        for (grace_seconds, ends) in [(2, vec![102_000, 160_000]), (3_600, vec![3_700_000, 160_000]), (0, vec![])] {
            let mut kept = secrets(&[None, Some(160_000)]);
            Rotation { grace_seconds }.make_room(&mut kept, now).unwrap();
            let kept: Vec<u64> = kept.iter().map(|secret| secret.expires_at.unwrap().millis()).collect();
            assert_eq!(kept, ends, "{grace_seconds}");
        }
    }
}
