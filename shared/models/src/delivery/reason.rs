//! Reasons of finished deliveries.

use super::DeliveryState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reason why a delivery is dead or skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Dead: every attempt failed.
    AttemptsUsedUp,
    /// Dead: the action may have been done, and repeating it might do it twice.
    UnknownOutcome,
    /// Dead: the action rejected the call, and a repetition would be rejected again.
    ActionRefused,
    /// Dead: the route's expressions can't be applied to the event.
    Unmappable,
    /// Dead: the AWS service rejected the event for its content.
    TargetRefused,
    /// Dead: the message is larger than its AWS service takes, or an MCP client answered 413.
    TooLarge,
    /// Dead: the event passed through more than eight routes in a row, each posting to the hook of the next.
    Loop,
    /// Skipped: the target refused further events, by a 410 or by `webhook-delivery: disable`. An MCP client's 410
    /// refuses this event alone.
    TargetGone,
    /// Skipped: the route was deleted, or the subscription has ended.
    RouteDeleted,
    /// Dead: the route was disabled after failing for `ROUTE_FAILS_DAYS`. Skipped: it was disabled for another reason.
    RouteDisabled,
    /// Skipped: the event has expired.
    EventExpired,
    /// Skipped: the event's person was erased.
    PersonErased,
}

impl Reason {
    pub const ALL: [Self; 12] = [
        Self::AttemptsUsedUp,
        Self::UnknownOutcome,
        Self::ActionRefused,
        Self::Unmappable,
        Self::TargetRefused,
        Self::TooLarge,
        Self::Loop,
        Self::TargetGone,
        Self::RouteDeleted,
        Self::RouteDisabled,
        Self::EventExpired,
        Self::PersonErased,
    ];
    pub const NAMES: &[&str] = &{
        let (mut names, mut at) = ([""; Self::ALL.len()], 0);
        while at < names.len() {
            names[at] = Self::ALL[at].as_str();
            at += 1;
        }
        names
    };

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttemptsUsedUp => "attempts_used_up",
            Self::UnknownOutcome => "unknown_outcome",
            Self::ActionRefused => "action_refused",
            Self::Unmappable => "unmappable",
            Self::TargetRefused => "target_refused",
            Self::TooLarge => "too_large",
            Self::Loop => "loop",
            Self::TargetGone => "target_gone",
            Self::RouteDeleted => "route_deleted",
            Self::RouteDisabled => "route_disabled",
            Self::EventExpired => "event_expired",
            Self::PersonErased => "person_erased",
        }
    }

    /// The state of all deliveries with this reason; none if they may be dead or skipped.
    pub const fn state(self) -> Option<DeliveryState> {
        match self {
            Self::AttemptsUsedUp
            | Self::UnknownOutcome
            | Self::ActionRefused
            | Self::Unmappable
            | Self::TargetRefused
            | Self::TooLarge
            | Self::Loop => Some(DeliveryState::Dead),
            Self::TargetGone | Self::RouteDeleted | Self::EventExpired | Self::PersonErased => {
                Some(DeliveryState::Skipped)
            }
            Self::RouteDisabled => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_json() {
        for (reason, name) in Reason::ALL.into_iter().zip(Reason::NAMES) {
            assert_eq!(serde_json::to_value(reason).unwrap(), **name);
            assert_eq!(Reason::parse(name), Some(reason));
        }
        assert_eq!(Reason::parse("gone"), None);
    }
}
