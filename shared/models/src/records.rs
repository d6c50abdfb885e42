//! Checkpoint records and takeovers, each from a single event. A checkpoint record is a view of its event; a takeover
//! has a state, so it is stored on its own.

use crate::{
    event::{OpenEvent, person_key},
    ids::{EventId, KeyId, RecordId, SubscriberId, TakeoverId},
    subscriber::Profile,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A checkpoint record as the API returns it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CheckpointRecord {
    pub id: RecordId,
    pub subscriber: Option<SubscriberId>,
    /// The checkpoint's name.
    pub checkpoint: Option<String>,
    /// The fields that the bot's author defined.
    pub fields: Map<String, Value>,
    /// The event that the record comes from.
    pub event: EventId,
    pub created_at: Timestamp,
}

impl CheckpointRecord {
    /// The record in an event by its current reading, if there is one.
    pub fn from_event(event: &OpenEvent<'_>) -> Option<Self> {
        if !event.key.is_checkpoint_record() {
            return None;
        }
        let checkpoint = event.reading.text("checkpoint.name", &event.body);
        let fields = event.reading.get("record.fields", &event.body);
        if checkpoint.is_none() && fields.is_none() {
            return None;
        }
        let fields = match fields {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let id = &event.key.id;
        Some(Self {
            id: id.record(),
            subscriber: event.stored.subscriber(),
            checkpoint,
            fields,
            event: id.clone(),
            created_at: id.time(),
        })
    }
}

/// State of a request for a human operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TakeoverState {
    Open,
    Claimed,
    Closed,
}

impl TakeoverState {
    pub const NAMES: &[&str] = &[Self::Open.as_str(), Self::Claimed.as_str(), Self::Closed.as_str()];

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Claimed, Self::Closed].into_iter().find(|state| state.as_str() == text)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claimed => "claimed",
            Self::Closed => "closed",
        }
    }
}

/// A request for a human operator as the API returns it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Takeover {
    pub id: TakeoverId,
    pub subscriber: Option<SubscriberId>,
    pub reason: Option<String>,
    pub state: TakeoverState,
    /// The name of the key that claimed it; null unless it is claimed.
    pub claimed_by: Option<String>,
    /// The event that the request comes from.
    pub event: EventId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The key that claimed a takeover. Names are not unique: the id identifies the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimant {
    pub key: KeyId,
    pub name: String,
}

/// Table and index keys that all stored records have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordKeys {
    pub pk: String,
    pub v: u32,
    pub list: String,
    pub sort: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<String>,
}

/// Version of the stored shapes of records.
pub const VERSION: u32 = 1;

/// Kinds of record in the index by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    Subscriber,
    Takeover,
}

impl RecordKind {
    pub fn list_key(self, shard: usize) -> String {
        let kind = match self {
            Self::Subscriber => "subscriber",
            Self::Takeover => "takeover",
        };
        format!("{kind}#{shard:02}")
    }
}

impl RecordKeys {
    fn of_takeover(id: &TakeoverId, event: &OpenEvent<'_>) -> Self {
        let shard = id.shard();
        Self {
            pk: id.to_string(),
            v: VERSION,
            list: RecordKind::Takeover.list_key(shard),
            sort: id.to_string(),
            person: event.stored.subscriber().map(|subscriber| person_key(&subscriber, shard)),
        }
    }

    /// Keys of a subscriber. The list sorts by `first_seen` and filters by platform without reading the item.
    pub fn of_subscriber(id: &SubscriberId, profile: &Profile) -> Self {
        Self {
            pk: id.to_string(),
            v: VERSION,
            list: RecordKind::Subscriber.list_key(id.shard()),
            sort: format!("{:015} {id} {}", profile.first_seen.millis(), profile.platform),
            person: None,
        }
    }

    fn subscriber(&self) -> Option<SubscriberId> {
        self.person.as_deref()?.split('#').next()?.parse().ok()
    }
}

/// A takeover as DynamoDB stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTakeover {
    #[serde(flatten)]
    pub place: RecordKeys,
    pub reason: Option<String>,
    pub state: TakeoverState,
    /// Absent unless it is claimed, and from claims of releases that did not store it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claimed_by: Option<Claimant>,
    pub event: EventId,
    pub updated_at: Timestamp,
}

impl StoredTakeover {
    /// The takeover that an event requests, if it is of such a type.
    pub fn from_event(event: &OpenEvent<'_>) -> Option<Self> {
        event.reading.fields.contains_key("takeover.reason").then(|| Self {
            place: RecordKeys::of_takeover(&event.key.id.takeover(), event),
            reason: event.reading.text("takeover.reason", &event.body),
            state: TakeoverState::Open,
            claimed_by: None,
            event: event.key.id.clone(),
            updated_at: event.key.id.time(),
        })
    }

    pub fn into_takeover(self) -> Takeover {
        Takeover {
            id: self.event.takeover(),
            subscriber: self.place.subscriber(),
            reason: self.reason,
            state: self.state,
            claimed_by: self.claimed_by.map(|claimant| claimant.name),
            created_at: self.event.time(),
            event: self.event,
            updated_at: self.updated_at,
        }
    }
}

/// A subscriber as DynamoDB stores it, or the tombstone of an erased one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSubscriber {
    #[serde(flatten)]
    pub place: Option<RecordKeys>,
    /// Version for the optimistic lock, raised by each write.
    pub version: u64,
    /// The [`crate::subscriber::Profile`] as JSON.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub profile: Option<String>,
    /// Events up to this instant are no longer folded in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub erased_at: Option<Timestamp>,
    /// Progress of an erasure that is under way, as JSON.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub erasing: Option<String>,
}

/// Parses a stored profile. Earlier releases stored bodies nested up to the parser's limit, and a profile wraps them in
/// further levels.
fn read_any_depth(text: &str) -> Result<Profile, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    Profile::deserialize(&mut reader)
}

impl StoredSubscriber {
    /// The person's profile; none for an erased person.
    pub fn open(&self) -> Result<Option<Profile>, serde_json::Error> {
        self.profile.as_deref().map(read_any_depth).transpose()
    }

    /// True if the person was erased after this event, so that the event must not be folded in.
    pub fn is_erased_after(&self, event: &EventId) -> bool {
        self.erased_at.is_some_and(|erased_at| event.time() <= erased_at)
    }
}
