//! The person of one event, for lists of other things.

use super::text;
use crate::ids::{ConnectionId, SubscriberId};
use payload::mapping::Reading;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Longest name, in characters.
const MAX_NAME: usize = 200;

/// A person in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PersonSummary {
    pub id: SubscriberId,
    /// The person's id at the platform.
    pub platform_id: String,
    /// The first 200 characters of the name in the event.
    pub name: Option<String>,
}

impl PersonSummary {
    /// The person in a body; none without a platform id.
    pub fn read(platform: &str, connection: &ConnectionId, reading: &Reading, body: &Value) -> Option<Self> {
        let platform_id = reading.text("subscriber.id", body)?;
        let id = SubscriberId::derive(platform, connection, &platform_id);
        let name = text("name", reading, body).map(|name| name.chars().take(MAX_NAME).collect());
        Some(Self { id, platform_id, name })
    }
}
