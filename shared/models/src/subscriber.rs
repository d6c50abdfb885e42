//! A person on one connection, folded from the events about them.
//!
//! Events arrive in any order, more than once, and on several workers at a time. So each field remembers its event, and
//! the later event wins, field by field. Folding the same events in any order gives the same subscriber.

mod stored;
mod summary;
mod view;

pub use summary::PersonSummary;
pub use view::view;

use crate::{
    ids::{ConnectionId, EventId, SubscriberId},
    time::Timestamp,
};
use payload::mapping::Reading;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A subscriber as the API returns it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Subscriber {
    pub id: SubscriberId,
    pub platform: String,
    pub connection: ConnectionId,
    /// The person's id at the platform.
    pub platform_id: String,
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    /// The channel on which the person talks to the bot, in the platform's word: for example `facebook`.
    pub channel: Option<String>,
    pub locale: Option<String>,
    pub timezone: Option<String>,
    /// A URL.
    pub picture: Option<String>,
    pub tags: BTreeSet<String>,
    pub attributes: Map<String, Value>,
    /// The platform's own object of the person, whole.
    pub platform_user: Option<Value>,
    /// Time at which the first event of the person was accepted; null in an event.
    pub first_seen: Option<Timestamp>,
    /// Time at which the last event of the person was accepted; null in an event.
    pub last_seen: Option<Timestamp>,
}

const TEXTS: [&str; 9] =
    ["name", "first_name", "last_name", "email", "phone", "channel", "locale", "timezone", "picture"];

/// Longest text that is taken as a name, an address or a tag. The event keeps longer ones.
const MAX_TEXT_BYTES: usize = 4096;

/// The data about a person in one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub id: SubscriberId,
    pub platform: String,
    pub connection: ConnectionId,
    pub platform_id: String,
    texts: BTreeMap<String, String>,
    tags: BTreeSet<String>,
    attributes: Map<String, Value>,
    platform_user: Option<Value>,
}

impl Person {
    /// The person in a body; none without a platform id.
    pub fn read(platform: &str, connection: &ConnectionId, reading: &Reading, body: &Value) -> Option<Self> {
        let platform_id = reading.text("subscriber.id", body)?;
        Some(Self {
            id: SubscriberId::derive(platform, connection, &platform_id),
            platform: platform.to_owned(),
            connection: connection.clone(),
            platform_id,
            texts: TEXTS.iter().filter_map(|field| Some(((*field).to_owned(), text(field, reading, body)?))).collect(),
            tags: tags(reading, body),
            attributes: reading.attributes(body),
            platform_user: reading.get("subscriber.platform_user", body),
        })
    }
}

fn text(field: &str, reading: &Reading, body: &Value) -> Option<String> {
    reading.text(&format!("subscriber.{field}"), body).filter(|text| text.len() <= MAX_TEXT_BYTES)
}

fn tags(reading: &Reading, body: &Value) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    if let Some(Value::Array(items)) = reading.get("subscriber.tags", body) {
        tags.extend(items.iter().filter_map(|item| item.as_str().map(str::to_owned)));
    }
    tags.extend(reading.text("tag", body));
    tags.retain(|tag: &String| tag.len() <= MAX_TEXT_BYTES);
    tags
}

/// A value and the event that it comes from.
#[derive(Debug, Clone, PartialEq)]
struct Sourced<T> {
    value: T,
    by: Stamp,
}

/// Origin of a value: the event and its revision. A later event wins, and of one event a later revision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Stamp(EventId, u32);

fn set_if_newer<T>(slot: &mut Option<Sourced<T>>, value: T, by: &Stamp) {
    if slot.as_ref().is_none_or(|sourced| sourced.by <= *by) {
        *slot = Some(Sourced { value, by: by.clone() });
    }
}

fn stamp<T>(sourced: &Option<Sourced<T>>) -> Option<Stamp> {
    sourced.as_ref().map(|sourced| sourced.by.clone())
}

/// Parts that a profile too large to store can lose.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum DroppablePart {
    Attribute,
    Tag,
}

/// The data known about a person, each field with its origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "stored::Stored", try_from = "stored::Stored")]
pub struct Profile {
    pub platform: String,
    pub connection: ConnectionId,
    pub platform_id: String,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    texts: BTreeMap<String, Option<Sourced<String>>>,
    tags: BTreeMap<String, Option<Sourced<()>>>,
    attributes: BTreeMap<String, Option<Sourced<Value>>>,
    platform_user: Option<Sourced<Value>>,
}

/// Largest profile, in bytes of JSON. With the item's other attributes it stays under DynamoDB's limit of 400 KB.
const MAX_PROFILE_BYTES: usize = 360_000;

impl Profile {
    pub fn new(person: &Person, at: Timestamp) -> Self {
        Self {
            platform: person.platform.clone(),
            connection: person.connection.clone(),
            platform_id: person.platform_id.clone(),
            first_seen: at,
            last_seen: at,
            texts: BTreeMap::new(),
            tags: BTreeMap::new(),
            attributes: BTreeMap::new(),
            platform_user: None,
        }
    }

    /// Merges the data of one event.
    pub fn fold(&mut self, person: &Person, event: &EventId, revision: u32) {
        let by = Stamp(event.clone(), revision);
        for (field, value) in &person.texts {
            set_if_newer(self.texts.entry(field.clone()).or_default(), value.clone(), &by);
        }
        for tag in &person.tags {
            set_if_newer(self.tags.entry(tag.clone()).or_default(), (), &by);
        }
        for (name, value) in &person.attributes {
            set_if_newer(self.attributes.entry(name.clone()).or_default(), value.clone(), &by);
        }
        if let Some(user) = &person.platform_user {
            set_if_newer(&mut self.platform_user, user.clone(), &by);
        }
        self.first_seen = self.first_seen.min(event.time());
        self.last_seen = self.last_seen.max(event.time());
    }

    /// Removes values from earlier readings of an event. Values of other events stay. Values that this event had
    /// overwritten come back when their events are folded again.
    pub fn remove_readings(&mut self, event: &EventId, revision: u32) {
        let stays = |by: &Stamp| by.0 != *event || by.1 >= revision;
        self.texts.retain(|_, sourced| sourced.as_ref().is_some_and(|sourced| stays(&sourced.by)));
        self.tags.retain(|_, sourced| sourced.as_ref().is_some_and(|sourced| stays(&sourced.by)));
        self.attributes.retain(|_, sourced| sourced.as_ref().is_some_and(|sourced| stays(&sourced.by)));
        self.platform_user = self.platform_user.take().filter(|sourced| stays(&sourced.by));
        let (first, last) = (self.first_seen, self.last_seen);
        if first == event.time() {
            self.first_seen = last;
        }
        if last == event.time() {
            self.last_seen = first;
        }
    }

    /// True if a value still comes from an earlier reading of an event.
    pub fn has_earlier(&self, event: &EventId, revision: u32) -> bool {
        let is_earlier = |by: &Stamp| by.0 == *event && by.1 < revision;
        let texts = self.texts.values().flatten().map(|sourced| &sourced.by);
        let tags = self.tags.values().flatten().map(|sourced| &sourced.by);
        let attributes = self.attributes.values().flatten().map(|sourced| &sourced.by);
        let user = self.platform_user.iter().map(|sourced| &sourced.by);
        texts.chain(tags).chain(attributes).chain(user).any(is_earlier)
    }

    /// True if no value of any event is left.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.tags.is_empty() && self.attributes.is_empty() && self.platform_user.is_none()
    }

    /// The profile as JSON, small enough to store. Above the limit, `platform_user` is dropped first, then the
    /// attributes and tags reported longest ago. The events keep them all.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_string(self)?;
        if text.len() <= MAX_PROFILE_BYTES {
            return Ok(text);
        }
        let mut profile = Self { platform_user: None, ..self.clone() };
        let mut excess = serde_json::to_string(&profile)?.len().saturating_sub(MAX_PROFILE_BYTES);
        for (_, part, name) in profile.droppable_parts() {
            if excess == 0 {
                break;
            }
            let value = match part {
                DroppablePart::Attribute => profile.attributes.remove(&name).flatten().map(|sourced| sourced.value),
                DroppablePart::Tag => profile.tags.remove(&name).and(None),
            };
            // A lower bound of the bytes saved: the name's quotes and the origin come on top.
            excess = excess.saturating_sub(name.len() + serde_json::to_string(&value)?.len());
        }
        serde_json::to_string(&profile)
    }

    fn droppable_parts(&self) -> Vec<(Option<Stamp>, DroppablePart, String)> {
        let attributes =
            self.attributes.iter().map(|(name, sourced)| (stamp(sourced), DroppablePart::Attribute, name.clone()));
        let tags = self.tags.iter().map(|(name, sourced)| (stamp(sourced), DroppablePart::Tag, name.clone()));
        let mut parts: Vec<_> = attributes.chain(tags).collect();
        parts.sort();
        parts
    }

    pub fn into_subscriber(mut self, id: SubscriberId) -> Subscriber {
        let mut text = |field: &str| self.texts.remove(field).flatten().map(|sourced| sourced.value);
        Subscriber {
            name: text("name"),
            first_name: text("first_name"),
            last_name: text("last_name"),
            email: text("email"),
            phone: text("phone"),
            channel: text("channel"),
            locale: text("locale"),
            timezone: text("timezone"),
            picture: text("picture"),
            id,
            platform: self.platform,
            connection: self.connection,
            platform_id: self.platform_id,
            tags: self.tags.into_keys().collect(),
            attributes: self
                .attributes
                .into_iter()
                .filter_map(|(name, sourced)| Some((name, sourced?.value)))
                .collect(),
            platform_user: self.platform_user.map(|sourced| sourced.value),
            first_seen: Some(self.first_seen),
            last_seen: Some(self.last_seen),
        }
    }

    /// Texts that identify the person in a body that could not be parsed. Shorter ones would match by chance.
    pub fn identifiers(&self) -> Vec<String> {
        let texts = ["name", "email", "phone"].into_iter().filter_map(|field| self.text(field));
        texts.chain([self.platform_id.clone()]).filter(|text| text.chars().count() >= 3).collect()
    }

    /// Values that belong to this person alone, long enough not to match another field by chance.
    pub fn unique_values(&self) -> Vec<String> {
        let texts = ["email", "phone"].into_iter().filter_map(|field| self.text(field));
        texts.chain([self.platform_id.clone()]).filter(|text| text.chars().count() >= 5).collect()
    }

    fn text(&self, field: &str) -> Option<String> {
        Some(self.texts.get(field)?.as_ref()?.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ContentKey, HookId};
    use proptest::prelude::*;

    fn person(texts: &[(&str, &str)], tags: &[&str], attributes: Value) -> Person {
        let connection = ConnectionId::new(Timestamp::from_millis(0), [0; 10]);
        Person {
            id: SubscriberId::derive("botstar", &connection, "u-1"),
            platform: "botstar".to_owned(),
            connection,
            platform_id: "u-1".to_owned(),
            texts: texts.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            attributes: attributes.as_object().cloned().unwrap_or_default(),
            platform_user: Some(attributes),
        }
    }

    fn event(millis: u64) -> EventId {
        let at = Timestamp::from_millis(millis);
        EventId::new(at, ContentKey::digest(&HookId::new(at, [0; 10]), &[&millis.to_be_bytes()]))
    }

    fn fold(readings: &[(Person, u64)]) -> Profile {
        let mut profile = Profile::new(&readings[0].0, Timestamp::from_millis(readings[0].1));
        for (person, millis) in readings {
            profile.fold(person, &event(*millis), 0);
        }
        profile
    }

    #[test]
    fn the_later_event_wins_field_by_field() {
        let early = (person(&[("name", "A"), ("email", "a@example.com")], &["x"], serde_json::json!({"plan": 1})), 10);
        let late = (person(&[("name", "B")], &["y"], serde_json::json!({"plan": 2})), 20);
        let profile = fold(&[late.clone(), early.clone()]);
        assert_eq!(profile, fold(&[early, late]));
        let subscriber = profile.into_subscriber(person(&[], &[], Value::Null).id);
        assert_eq!((subscriber.name.as_deref(), subscriber.email.as_deref()), (Some("B"), Some("a@example.com")));
        assert_eq!(subscriber.tags.len(), 2);
        assert_eq!(subscriber.attributes["plan"], 2);
    }

    #[test]
    fn an_earlier_reading_is_removed() {
        let wrong = person(&[("name", "wrong")], &["wrong"], Value::Null);
        let right = person(&[("name", "right")], &[], Value::Null);
        let other = person(&[("email", "a@example.com")], &[], Value::Null);
        let mut profile = fold(&[(other, 5), (wrong, 10)]);
        profile.remove_readings(&event(10), 1);
        profile.fold(&right, &event(10), 1);
        profile.remove_readings(&event(10), 1);
        let subscriber = profile.into_subscriber(right.id);
        assert_eq!((subscriber.name.as_deref(), subscriber.email.as_deref()), (Some("right"), Some("a@example.com")));
        assert!(subscriber.tags.is_empty());
    }

    #[test]
    fn a_value_without_its_event_is_rejected() {
        let text = fold(&[(person(&[("name", "A")], &[], Value::Null), 1)]).to_json().unwrap();
        assert!(serde_json::from_str::<Profile>(&text).is_ok());
        assert!(serde_json::from_str::<Profile>(&text.replace("[\"A\",0]", "[\"A\",1]")).is_err());
    }

    #[test]
    fn a_profile_fits_into_an_item() {
        let big = |n: usize| serde_json::json!({ format!("k{n}"): "x".repeat(100_000) });
        let profile =
            fold(&(1_u64..8).map(|n| (person(&[("name", "A")], &[], big(n as usize)), n)).collect::<Vec<_>>());
        let kept: Profile = serde_json::from_str(&profile.to_json().unwrap()).unwrap();
        let subscriber = kept.into_subscriber(person(&[], &[], Value::Null).id);
        assert_eq!(subscriber.attributes.keys().collect::<Vec<_>>(), ["k5", "k6", "k7"]);
        assert_eq!(subscriber.platform_user, None);
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(
            readings in proptest::collection::vec(
                (0_u64..6, proptest::sample::subsequence(vec!["name", "email"], 0..3), proptest::sample::subsequence(vec!["a", "b"], 0..3)), 1..8),
            order in proptest::collection::vec(any::<proptest::sample::Index>(), 0..24),
        ) {
            // The id of an event determines its data.
            let mut seen = BTreeMap::new();
            for (millis, fields, tags) in &readings {
                let texts: Vec<_> = fields.iter().map(|field| (*field, if millis % 2 == 0 { "even" } else { "odd" })).collect();
                seen.entry(*millis).or_insert_with(|| person(&texts, tags, serde_json::json!({ "n": millis })));
            }
            let once: Vec<_> = seen.iter().map(|(millis, person)| (person.clone(), *millis)).collect();
            let mut shuffled: Vec<_> = order.iter().map(|index| index.get(&once).clone()).collect();
            shuffled.extend(once.iter().rev().cloned());
            prop_assert_eq!(fold(&shuffled), fold(&once));
            let kept: Profile = serde_json::from_str(&fold(&once).to_json().unwrap()).unwrap();
            prop_assert_eq!(kept, fold(&once));
        }
    }
}
