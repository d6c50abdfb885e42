//! Items of events, packed if that saves a write unit.

use super::{Item, StoreError, number, text, to_item};
use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use models::{StoredEvent, event, packing};

/// Bytes of an item that one write unit pays for.
const UNIT_BYTES: usize = 1024;

/// The item of an event. Its reading and body are packed if it then takes fewer write units.
pub fn event_item(event: &StoredEvent) -> Result<Item, StoreError> {
    let mut item = to_item(event)?;
    let size = size(&item);
    let Some(raw) = event.raw.as_ref().filter(|_| size > UNIT_BYTES) else { return Ok(item) };
    let plain = raw.len() + event.reading.len();
    let packed = packing::pack(&event.reading, raw)
        .filter(|packed| (size - plain + packed.len()).div_ceil(UNIT_BYTES) < size.div_ceil(UNIT_BYTES));
    if let Some(packed) = packed {
        item.insert("v".to_owned(), number(u64::from(event::PACKED)));
        item.insert("raw".to_owned(), AttributeValue::B(Blob::new(packed)));
        item.insert("reading".to_owned(), text(""));
    }
    Ok(item)
}

/// An upper bound of an item's size, in bytes as DynamoDB counts them.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
fn size(item: &Item) -> usize {
    let of_value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        _ => 1,
    };
    item.iter().map(|(name, value)| name.len() + of_value(value)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{from_item, text_of};
    use models::{ConnectionId, HookId, Timestamp, event::Accepted, ids::ContentKey};
    use payload::{Mapping, body, mapping};
    use serde_json::Map;

    fn event(note: &str) -> StoredEvent {
        let at = Timestamp::from_millis(1_767_225_600_000);
        let hook = HookId::new(at, [1; 10]);
        let raw = format!(r#"{{"user":{{"id":"u-1","name":"Ava Chen"}},"note":"{note}"}}"#);
        let (format, body) = body::read(raw.as_bytes(), None).unwrap();
        StoredEvent::new(Accepted {
            at,
            key: ContentKey::digest(&hook, &[raw.as_bytes()]),
            hook: &hook,
            connection: &ConnectionId::new(at, [2; 10]),
            platform: "botstar",
            event_type: "botstar.tag.added",
            raw: raw.as_bytes(),
            format,
            body: &body,
            reading: &mapping::resolve([], &Mapping::new(), &body),
            extra_data: Map::new(),
            encoding: None,
            query: None,
            hops: 0,
            nonce: "n".to_owned(),
            expires: at.plus_seconds(60),
        })
    }

    fn version(item: &Item) -> u32 {
        item["v"].as_n().unwrap().parse().unwrap()
    }

    #[test]
    fn an_event_is_packed_only_if_that_saves_a_unit_and_is_read_as_before() {
        let text =
            |bytes: usize| "The second parcel has not arrived so far; please check. ".chars().cycle().take(bytes);
        let random = |bytes: u32| {
            (0..bytes).map(|n| char::from(b' ' + 2 + (n.wrapping_mul(n).wrapping_mul(2_654_435_761) >> 26) as u8))
        };
        for (note, is_packed) in [
            (text(100).collect::<String>(), false),
            (text(1_000).collect(), true),
            (text(200_000).collect(), true),
            (random(800).filter(|c| *c != '"' && *c != '\\').collect(), false),
        ] {
            let event = event(&note);
            let item = event_item(&event).unwrap();
            assert_eq!(version(&item), if is_packed { event::PACKED } else { event::PLAIN }, "{}", note.len());
            let units = |item: &Item| size(item).div_ceil(UNIT_BYTES);
            assert_eq!(units(&item) < units(&to_item(&event).unwrap()), is_packed);
            assert_eq!(from_item::<StoredEvent>(item).unwrap(), event);
        }
    }

    #[test]
    fn an_item_from_before_packing_is_read() {
        let event = event(&"x".repeat(2_000));
        assert_eq!(from_item::<StoredEvent>(to_item(&event).unwrap()).unwrap(), event);
    }

    #[test]
    fn an_event_with_a_corrupt_body_is_malformed() {
        let mut item = event_item(&event(&"x".repeat(2_000))).unwrap();
        item.insert("raw".to_owned(), AttributeValue::B(Blob::new([0xff; 40])));
        assert!(matches!(from_item::<StoredEvent>(item), Err(StoreError::Malformed(_))));
    }

    #[test]
    fn an_erased_event_is_not_packed() {
        let erased = event(&"x".repeat(2_000)).scrubbed(Timestamp::from_millis(1));
        let item = event_item(&erased).unwrap();
        assert_eq!((version(&item), text_of(&item, "reading")), (event::PLAIN, "{\"f\":{}}"));
    }
}
