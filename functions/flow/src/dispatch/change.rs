//! Changes of events, parsed from stream records.

use crate::dead_letters::DeadLetter;
use models::{EventId, StoredEvent, event::EventKey};
use serde::Deserialize;
use serde_dynamo::{AttributeValue, Item};
use serde_json::Value;

/// A change of an event.
#[derive(Debug)]
pub struct Change {
    pub sequence_number: String,
    pub new: StoredEvent,
    /// The previous version of the same event.
    old: Option<StoredEvent>,
}

/// A record that can't be parsed.
#[derive(Debug)]
pub struct MalformedRecord {
    pub sequence_number: String,
    pub letter: DeadLetter,
}

#[derive(Deserialize)]
struct StreamRecord {
    #[serde(rename = "eventName")]
    event_name: String,
    dynamodb: Images,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    sequence_number: String,
    keys: Item,
    new_image: Option<Item>,
    old_image: Option<Item>,
}

impl Change {
    /// Parses a record. None if it changes no event.
    pub fn read(record: Value) -> Result<Option<Self>, MalformedRecord> {
        let number = record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str).unwrap_or_default().to_owned();
        let malformed = |event: String, error: &dyn std::fmt::Display| MalformedRecord {
            sequence_number: number.clone(),
            letter: DeadLetter { event, reason: error.to_string() },
        };
        let record: StreamRecord =
            serde_json::from_value(record).map_err(|error| malformed("unknown".to_owned(), &error))?;
        let images = record.dynamodb;
        let pk = match images.keys.get("pk") {
            Some(AttributeValue::S(pk)) => pk.clone(),
            _ => "unknown".to_owned(),
        };
        // Rejected calls have no reading. An event inserted under its own id was only moved to make room for a later
        // one.
        let Some(new) = images.new_image.filter(|image| image.contains_key("reading")) else { return Ok(None) };
        if record.event_name == "INSERT" && pk.starts_with(EventId::PREFIX) {
            return Ok(None);
        }
        let id = match new.get("sort") {
            Some(AttributeValue::S(sort)) => EventKey::parse_id(sort).map_or(pk, String::from),
            _ => pk,
        };
        let new: StoredEvent = serde_dynamo::from_item(new).map_err(|error| malformed(id, &error))?;
        let old = images.old_image.and_then(|image| serde_dynamo::from_item::<_, StoredEvent>(image).ok());
        let old = old.filter(|old| old.sort == new.sort);
        Ok(Some(Self { sequence_number: images.sequence_number, new, old }))
    }

    /// Bytes of the event that are parsed.
    pub fn bytes(&self) -> usize {
        self.new.raw.as_ref().map_or(0, Vec::len) + self.new.reading.len()
    }

    /// True if the event was just accepted.
    pub const fn is_new(&self) -> bool {
        self.old.is_none()
    }

    /// The previous version, if the event's reading has changed.
    pub fn previous_reading(&self) -> Option<&StoredEvent> {
        self.old.as_ref().filter(|old| old.rev != self.new.rev)
    }
}
