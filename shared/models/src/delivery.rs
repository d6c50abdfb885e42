//! Deliveries: one event on its way to one route's target, with its attempts.

mod reason;
mod stored;

pub use reason::Reason;

use crate::{
    ids::{DeliveryId, EventId, ReplayId, RouteId, SHARDS},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the stored shape. A reader accepts every version up to this one.
pub const VERSION: u32 = 2;

/// Number of attempts that are kept, the latest ones.
const KEPT_ATTEMPTS: usize = 20;

/// State of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waiting for its first or its next attempt.
    Pending,
    Succeeded,
    /// A dead letter, kept until it is retried or expires.
    Dead,
    /// Given up because its route, target, event or person is gone.
    Skipped,
}

impl DeliveryState {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Succeeded, Self::Dead, Self::Skipped];
    pub const NAMES: &[&str] =
        &[Self::Pending.as_str(), Self::Succeeded.as_str(), Self::Dead.as_str(), Self::Skipped.as_str()];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Skipped => "skipped",
        }
    }
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    pub at: Timestamp,
    /// The HTTP status of the answer; null without an answer.
    pub status: Option<u16>,
    pub duration_ms: u64,
    /// The cause of a failure that the status does not show. It begins with `nothing was sent` if no call was made.
    pub error: Option<String>,
    /// The first 1 KB of the answer; null once the event's person was erased.
    pub body: Option<String>,
}

/// A delivery as the API returns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event: EventId,
    pub route: RouteId,
    pub state: DeliveryState,
    /// The reason for its state; null unless it is dead or skipped.
    pub reason: Option<Reason>,
    /// The replay that created it; null if dispatch did.
    pub replay: Option<ReplayId>,
    /// The last 20 attempts.
    pub attempts: Vec<Attempt>,
    /// Null unless the delivery is pending.
    pub next_attempt_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A delivery as DynamoDB stores it, beside the other deliveries of its event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDelivery {
    #[serde(rename = "pk")]
    pub event: EventId,
    #[serde(rename = "sk")]
    pub id: DeliveryId,
    pub v: u32,
    /// Version for the optimistic lock, raised by each write; 0 before the first one.
    pub version: u64,
    pub route: RouteId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<ReplayId>,
    pub state: DeliveryState,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Reason>,
    #[serde(with = "stored::attempts", skip_serializing_if = "Vec::is_empty", default)]
    pub attempts: Vec<Attempt>,
    /// Number of attempts since the delivery was created or last retried by hand.
    #[serde(rename = "tried")]
    pub attempts_made: u32,
    /// Number of manual retries.
    #[serde(rename = "retried", skip_serializing_if = "is_zero", default)]
    pub manual_retries: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_attempt_at: Option<Timestamp>,
    /// Partition key in the index of due deliveries. Every stored, pending delivery has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    due: Option<String>,
    /// Sort key of that index: `<time> <id> <route>`. The sweep picks up the delivery at that time if its message was
    /// lost, or if it has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_at: Option<String>,
    /// Partition key in the index of dead letters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    dead: Option<String>,
    /// Sort key of that index: `<id> <route>`. Lists sort and filter by it without reading the delivery.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sort: Option<String>,
    #[serde(with = "stored::millis")]
    pub created_at: Timestamp,
    #[serde(with = "stored::millis")]
    pub updated_at: Timestamp,
    /// Expiry of the event, in seconds since the epoch; the largest number if the event is kept for good.
    #[serde(skip_serializing_if = "is_never", default = "never")]
    event_expires: u64,
    /// Expiry of the delivery, in seconds since the epoch. A pending delivery moves it on, so that it is not deleted
    /// while it waits. It is never later than the event's, because an erasure finds deliveries by their event.
    pub expires: u64,
}

/// Attributes that a later write of a delivery may remove.
pub const REMOVABLE: [&str; 6] = ["reason", "next_attempt_at", "due", "due_at", "dead", "sort"];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_never(expires: &u64) -> bool {
    *expires == never()
}

const fn never() -> u64 {
    u64::MAX
}

/// The event, route and replay that a delivery belongs to.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryOrigin<'a> {
    pub event: &'a EventId,
    /// Expiry of the event, in seconds since the epoch.
    pub event_expires: u64,
    pub route: &'a RouteId,
    pub replay: Option<&'a ReplayId>,
}

/// The times of a pending delivery.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryTimes {
    pub next_attempt_at: Timestamp,
    /// Time at which the sweep picks it up if it has not been attempted by then.
    pub due_at: Timestamp,
    pub expires: Timestamp,
}

impl StoredDelivery {
    /// A delivery that has not been attempted. The same event, route and replay always give the same id.
    pub fn new(of: DeliveryOrigin<'_>, now: Timestamp, when: DeliveryTimes) -> Self {
        let DeliveryOrigin { event, event_expires, route, replay } = of;
        let mut delivery = Self {
            event: event.clone(),
            id: DeliveryId::derive(event, route, replay),
            v: VERSION,
            version: 0,
            route: route.clone(),
            replay: replay.cloned(),
            state: DeliveryState::Pending,
            reason: None,
            attempts: Vec::new(),
            attempts_made: 0,
            manual_retries: 0,
            next_attempt_at: None,
            due: None,
            due_at: None,
            dead: None,
            sort: None,
            created_at: now,
            updated_at: now,
            event_expires,
            expires: 0,
        };
        delivery.set_pending(when);
        delivery
    }

    /// Makes the delivery pending, with these times.
    pub fn set_pending(&mut self, when: DeliveryTimes) {
        self.state = DeliveryState::Pending;
        (self.reason, self.dead, self.sort) = (None, None, None);
        self.next_attempt_at = Some(when.next_attempt_at);
        self.due = Some(due_key(self.id.shard()));
        self.due_at = Some(format!("{} {} {}", when.due_at, self.id, self.route));
        self.expires = when.expires.seconds().min(self.event_expires);
    }

    /// True if the sweep picks it up at its attempt's time, so no queue message is needed.
    pub fn is_left_to_sweep(&self) -> bool {
        let due_at = self.due_at.as_deref().and_then(|due_at| due_at.split(' ').next());
        self.next_attempt_at.is_some_and(|at| due_at == Some(at.to_string().as_str()))
    }

    /// Raises the version for a write, and returns the version before it, the write's condition.
    pub const fn bump_version(&mut self, now: Timestamp) -> u64 {
        let read = self.version;
        (self.v, self.version, self.updated_at) = (VERSION, read + 1, now);
        read
    }

    /// Starts the delivery again, with all its attempts.
    pub fn retry(&mut self, when: DeliveryTimes) {
        (self.attempts_made, self.manual_retries) = (0, self.manual_retries + 1);
        self.set_pending(when);
    }

    /// Ends the delivery in this state.
    pub fn finish(&mut self, state: DeliveryState, reason: Option<Reason>) {
        (self.state, self.reason) = (state, reason);
        (self.next_attempt_at, self.due, self.due_at) = (None, None, None);
        let is_dead = state == DeliveryState::Dead;
        self.dead = is_dead.then(|| dead_key(self.id.shard()));
        self.sort = is_dead.then(|| format!("{} {}", self.id, self.route));
    }

    pub fn record_attempt(&mut self, attempt: Attempt) {
        self.attempts_made += 1;
        self.attempts.push(attempt);
        let surplus = self.attempts.len().saturating_sub(KEPT_ATTEMPTS);
        self.attempts.drain(..surplus);
    }

    /// True if an attempt holds a text of the target.
    pub fn has_target_text(&self) -> bool {
        let has_text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        self.attempts.iter().any(|attempt| has_text(&attempt.error) || has_text(&attempt.body))
    }

    /// Removes the texts of the target from all attempts. Returns whether there was any.
    pub fn remove_target_text(&mut self) -> bool {
        let remove = |attempt: &mut Attempt| attempt.error.take().is_some() | attempt.body.take().is_some();
        self.attempts.iter_mut().map(remove).fold(false, |before, removed| before | removed)
    }

    pub fn into_delivery(self) -> Delivery {
        Delivery {
            id: self.id,
            event: self.event,
            route: self.route,
            state: self.state,
            reason: self.reason,
            replay: self.replay,
            attempts: self.attempts,
            next_attempt_at: self.next_attempt_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// The parts of a delivery that an index's sort key contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryKey {
    pub id: DeliveryId,
    pub route: RouteId,
}

impl DeliveryKey {
    /// Parses the sort key of either index.
    pub fn parse(sort: &str) -> Option<Self> {
        let mut parts = sort.rsplit(' ');
        let (route, id) = (parts.next()?, parts.next()?);
        Some(Self { id: id.parse().ok()?, route: route.parse().ok()? })
    }
}

/// Partition key of a shard in the index of due deliveries.
pub fn due_key(shard: usize) -> String {
    format!("due#{shard:02}")
}

/// Partition key of a shard in the index of dead letters.
pub fn dead_key(shard: usize) -> String {
    format!("dead#{shard:02}")
}

/// The keys of all shards.
pub fn shards(key: fn(usize) -> String) -> Vec<String> {
    (0..SHARDS).map(key).collect()
}

/// A message of the delivery queue, for one due attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub delivery: DeliveryId,
    /// Message group: the queue is fair between routes.
    pub route: RouteId,
    /// Time of the attempt. A queue delays a message by 15 minutes at most, so it may arrive earlier.
    pub at: Timestamp,
    /// The message is for the first attempt. The delivery may not be in the table yet: the message is its only trace.
    pub is_first: bool,
}

#[cfg(test)]
mod tests;
