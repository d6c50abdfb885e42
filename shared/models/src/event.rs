//! Events as they are stored.

mod packed;

use crate::{
    envelope::Envelope,
    ids::{ConnectionId, ContentKey, EventId, HookId, RouteId, SubscriberId},
    subscriber::{self, Person, PersonSummary},
    time::Timestamp,
};
use payload::{
    body::{self, Charset, Format, Syntax},
    mapping::Reading,
    view::{self, Fields, View},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Version of an event whose `raw` is the body.
pub const PLAIN: u32 = 1;
/// Version of an event whose `raw` is its packed reading and body. A reader accepts every version up to this one.
pub const PACKED: u32 = 2;

/// An event as DynamoDB stores it. One item is the stored event, its dedupe record and its outbox entry.
/// A packed one is unpacked as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct StoredEvent {
    /// The content key, or the event's id once a later event has taken that key.
    pub pk: String,
    pub v: u32,
    /// Partition key in the index by time.
    pub list: String,
    /// Sort key of the indexes: `<id> <type> <hook>`. Lists sort and filter by it without reading the event.
    pub sort: String,
    /// Partition key in the index by person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// None for Switchboard's own events.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connection: Option<ConnectionId>,
    pub platform: String,
    /// The body as it was received. None once the person was erased, and for Switchboard's own events.
    #[serde(with = "serde_bytes", skip_serializing_if = "Option::is_none", default)]
    pub raw: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "is_false", default)]
    pub form: bool,
    /// The body's charset; none for UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub charset: Option<String>,
    /// The `Content-Encoding` that was removed before the body was stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub encoding: Option<String>,
    /// The call's query as JSON, if the hook keeps it. None once the person was erased.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub query: Option<String>,
    /// Number of routes in a row that led to this event, each posting to the hook of the next.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub hops: u8,
    /// The [`Reading`] as JSON.
    pub reading: String,
    /// Fields of `data` that come from outside the body, as JSON.
    #[serde(rename = "told", skip_serializing_if = "Option::is_none", default)]
    pub extra_data: Option<String>,
    /// Distinguishes a retry of the same write from another call of the same instant and content.
    pub nonce: String,
    /// Expiry in seconds since the epoch; none for an event that is kept for good.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<u64>,
    /// Number of remaps and scrubs.
    #[serde(default)]
    pub rev: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// The source of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Hook(HookId),
    /// The route that an event of Switchboard's own is about.
    Route(RouteId),
}

impl Origin {
    pub const fn hook(&self) -> Option<&HookId> {
        match self {
            Self::Hook(hook) => Some(hook),
            Self::Route(_) => None,
        }
    }

    pub const fn route(&self) -> Option<&RouteId> {
        match self {
            Self::Hook(_) => None,
            Self::Route(route) => Some(route),
        }
    }

    fn parse(id: &str) -> Option<Self> {
        id.parse().map(Self::Hook).or_else(|_| id.parse().map(Self::Route)).ok()
    }

    fn id(&self) -> &str {
        match self {
            Self::Hook(hook) => hook.as_str(),
            Self::Route(route) => route.as_str(),
        }
    }

    /// The envelope's `source`.
    fn source(&self) -> String {
        match self {
            Self::Hook(hook) => format!("/hooks/{hook}"),
            Self::Route(route) => format!("/routes/{route}"),
        }
    }
}

/// Suffix of the types of checkpoint record events, after the platform.
const CHECKPOINT_RECORD: &str = "checkpoint_record.created";

/// The parts of an event that an index's sort key contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventKey {
    pub id: EventId,
    pub event_type: String,
    pub origin: Origin,
}

impl EventKey {
    /// True for the type of a checkpoint record, on any platform. Such an event is the record, so it is kept until its
    /// person is erased.
    pub fn is_checkpoint_record(&self) -> bool {
        self.event_type.split_once('.').is_some_and(|(_, suffix)| suffix == CHECKPOINT_RECORD)
    }

    pub fn parse(sort: &str) -> Option<Self> {
        let mut parts = sort.split(' ');
        let key = Self {
            id: parts.next()?.parse().ok()?,
            event_type: parts.next()?.to_owned(),
            origin: Origin::parse(parts.next()?)?,
        };
        parts.next().is_none().then_some(key)
    }

    /// The id alone, also of a key that can't be parsed as a whole.
    pub fn parse_id(sort: &str) -> Option<EventId> {
        sort.split(' ').next()?.parse().ok()
    }

    pub fn sort(&self) -> String {
        format!("{} {} {}", self.id, self.event_type, self.origin.id())
    }
}

/// An item that this release can't read as an event.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    #[error("the event has version {0}, which this release does not support")]
    Version(u32),
    #[error("the event's sort key is malformed")]
    Sort,
    #[error("the event's reading is malformed: {0}")]
    Reading(#[from] serde_json::Error),
}

/// The parts of an accepted webhook call that make an event.
pub struct Accepted<'a> {
    pub at: Timestamp,
    pub key: ContentKey,
    pub hook: &'a HookId,
    pub connection: &'a ConnectionId,
    pub platform: &'a str,
    pub event_type: &'a str,
    pub raw: &'a [u8],
    pub format: Format,
    pub body: &'a Value,
    pub reading: &'a Reading,
    pub extra_data: Map<String, Value>,
    pub encoding: Option<String>,
    pub query: Option<Value>,
    pub hops: u8,
    pub nonce: String,
    /// Expiry, unless the event is kept for good.
    pub expires: Timestamp,
}

impl StoredEvent {
    pub fn new(accepted: Accepted<'_>) -> Self {
        let id = EventId::new(accepted.at, accepted.key);
        let list = list_key(id.shard());
        let origin = Origin::Hook(accepted.hook.clone());
        let key = EventKey { id, event_type: accepted.event_type.to_owned(), origin };
        let mut event = Self {
            pk: accepted.key.to_string(),
            v: PLAIN,
            list,
            sort: key.sort(),
            person: None,
            connection: Some(accepted.connection.clone()),
            platform: accepted.platform.to_owned(),
            raw: Some(accepted.raw.to_vec()),
            form: accepted.format.syntax == Syntax::Form,
            charset: accepted.format.charset.stored_name().map(str::to_owned),
            encoding: accepted.encoding,
            query: accepted.query.map(|query| query.to_string()),
            hops: accepted.hops,
            reading: String::new(),
            extra_data: (!accepted.extra_data.is_empty()).then(|| Value::Object(accepted.extra_data).to_string()),
            nonce: accepted.nonce,
            expires: (!key.is_checkpoint_record()).then(|| accepted.expires.seconds()),
            rev: 0,
        };
        event.set_reading(accepted.reading, accepted.body, &key.id);
        event
    }

    fn set_reading(&mut self, reading: &Reading, body: &Value, id: &EventId) {
        self.reading = serde_json::to_string(reading).unwrap_or_default();
        let Some(connection) = &self.connection else { return };
        let platform_id = reading.text("subscriber.id", body);
        let subscriber = platform_id.map(|id| SubscriberId::derive(&self.platform, connection, &id).to_string());
        // An event without a person is listed under its connection, where an erasure searches it.
        let owner = subscriber.unwrap_or_else(|| connection.to_string());
        self.person = Some(format!("{owner}#{:02}", id.shard()));
    }

    /// True if the event's person was erased.
    pub const fn is_erased(&self) -> bool {
        self.raw.is_none() && self.connection.is_some()
    }

    /// True for Switchboard's own events, about a route or a delivery.
    pub const fn is_own(&self) -> bool {
        self.connection.is_none()
    }

    /// The same event with a new reading.
    pub fn remapped(&self, reading: &Reading, body: &Value) -> Result<Self, Malformed> {
        let mut event = Self { rev: self.rev + 1, ..self.clone() };
        event.set_reading(reading, body, &self.key()?.id);
        Ok(event)
    }

    /// The same event without the person's data. The subscriber's id stays, so that a remap can't restore the person. An
    /// event that was kept for good expires at the given time.
    pub fn scrubbed(&self, expires: Timestamp) -> Self {
        let reading: Reading = serde_json::from_str(&self.reading).unwrap_or_default();
        let reading = serde_json::to_string(&reading.without_values()).unwrap_or_default();
        let expires = self.expires.unwrap_or(expires.seconds());
        Self { rev: self.rev + 1, raw: None, query: None, reading, expires: Some(expires), ..self.clone() }
    }

    /// The event's id, or its partition key if the sort key has no id.
    pub fn id_or_key(&self) -> String {
        EventKey::parse_id(&self.sort).map_or_else(|| self.pk.clone(), String::from)
    }

    pub fn key(&self) -> Result<EventKey, Malformed> {
        if self.v > PACKED {
            return Err(Malformed::Version(self.v));
        }
        EventKey::parse(&self.sort).ok_or(Malformed::Sort)
    }

    pub fn format(&self) -> Format {
        let syntax = if self.form { Syntax::Form } else { Syntax::Json };
        let charset = self.charset.as_deref().and_then(Charset::for_label).unwrap_or(Charset::UTF_8);
        Format { syntax, charset }
    }

    /// The person of the event, if the body identifies one.
    pub fn subscriber(&self) -> Option<SubscriberId> {
        self.person.as_deref()?.split('#').next()?.parse().ok()
    }

    /// Parses the event's body and reading.
    pub fn open(&self) -> Result<OpenEvent<'_>, Malformed> {
        let key = self.key()?;
        let reading: Reading = serde_json::from_str(&self.reading)?;
        let (mut body, raw) = match &self.raw {
            Some(raw) => body::reread(raw, self.format()),
            None => (Value::Null, Cow::Borrowed("null")),
        };
        body::shrink(&mut body);
        Ok(OpenEvent { stored: self, key, reading, body, raw })
    }
}

/// Partition key of a shard in the index by time.
pub fn list_key(shard: usize) -> String {
    format!("event#{shard:02}")
}

/// Partition key, in the index by person, of a shard of a connection's events without a person.
pub fn connection_key(connection: &ConnectionId, shard: usize) -> String {
    format!("{connection}#{shard:02}")
}

/// Partition key of a shard in the indexes by person.
pub fn person_key(subscriber: &SubscriberId, shard: usize) -> String {
    format!("{subscriber}#{shard:02}")
}

/// A stored event with its body and reading parsed.
pub struct OpenEvent<'a> {
    pub stored: &'a StoredEvent,
    pub key: EventKey,
    pub reading: Reading,
    pub body: Value,
    raw: Cow<'a, str>,
}

impl OpenEvent<'_> {
    /// The person in the body.
    pub fn person(&self) -> Option<Person> {
        self.stored.raw.as_ref()?;
        Person::read(&self.stored.platform, self.stored.connection.as_ref()?, &self.reading, &self.body)
    }

    /// The person in the body, in short.
    pub fn person_summary(&self) -> Option<PersonSummary> {
        self.stored.raw.as_ref()?;
        PersonSummary::read(&self.stored.platform, self.stored.connection.as_ref()?, &self.reading, &self.body)
    }

    pub fn envelope(&self) -> Result<Envelope<'_>, Malformed> {
        Ok(Envelope {
            id: self.key.id.clone(),
            source: self.key.origin.source(),
            event_type: self.key.event_type.clone(),
            subject: self.stored.subscriber(),
            time: self.key.id.time(),
            data: View::Map(self.data()?),
            groups: self.reading.groups(),
        })
    }

    /// The envelope's `data`.
    fn data(&self) -> Result<Fields<'_>, Malformed> {
        let stored = self.stored;
        let id = |id: Option<&str>| id.map_or(View::NULL, View::from);
        let mut fields: Fields<'_> = vec![
            ("hook".into(), id(self.key.origin.hook().map(HookId::as_str))),
            ("connection".into(), id(stored.connection.as_ref().map(ConnectionId::as_str))),
            ("subscriber".into(), self.subscriber().unwrap_or(View::NULL)),
        ];
        let extra_data: Map<String, Value> =
            stored.extra_data.as_deref().map_or(Ok(Map::new()), serde_json::from_str)?;
        let extra_data = extra_data.into_iter().map(|(name, value)| (name.into(), value.into()));
        for (name, field) in extra_data.chain(self.reading.data(&self.body)) {
            view::set(&mut fields, name, field);
        }
        let query: Option<Value> = stored.query.as_deref().map(serde_json::from_str).transpose()?;
        let (text, value) = (serde_json::from_str(&self.raw)?, &self.body);
        fields.extend([
            ("query".into(), query.map_or(View::NULL, View::from)),
            ("truncated".into(), false.into()),
            ("unmapped".into(), self.reading.unmapped.clone().into()),
            ("raw".into(), View::Body { text, value }),
        ]);
        Ok(fields)
    }

    /// The person in this event, without `first_seen` and `last_seen`.
    fn subscriber(&self) -> Option<View<'_>> {
        self.stored.raw.as_ref()?;
        subscriber::view(&self.stored.platform, self.stored.connection.as_ref()?, &self.reading, &self.body)
    }
}

#[cfg(test)]
mod tests;
