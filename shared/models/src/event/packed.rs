//! Events whose reading and body are stored packed.

use super::{PACKED, PLAIN, StoredEvent};
use crate::packing;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

// `remote = "Self"` has made functions of the derived code.
impl Serialize for StoredEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for StoredEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut event = Self::deserialize(deserializer)?;
        if let (PACKED, Some(packed)) = (event.v, &event.raw) {
            let (reading, raw) = packing::unpack(packed).map_err(D::Error::custom)?;
            (event.v, event.reading, event.raw) = (PLAIN, reading, Some(raw));
        }
        Ok(event)
    }
}
