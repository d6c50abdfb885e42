//! Ids: a prefix for the kind, then lower-case base32hex, so that ids sort like their bytes.
//!
//! Most begin with six bytes of time and sort by it. An event's id ends in the key that the event is stored under, so
//! an event is found by its id without an index. A subscriber's id is a digest of platform, connection and platform id.

#[cfg(test)]
mod tests;

use crate::time::Timestamp;
use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::BASE32_DNSSEC as BASE32;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, str::FromStr};

/// Number of partition keys that an index over time is spread over. At 1,000 writes a second each, they take 16,000.
pub const SHARDS: usize = 16;

const TIME_BYTES: usize = 6;
const RANDOM_BYTES: usize = 10;
const CONTENT_BYTES: usize = 20;
const EVENT_BYTES: usize = TIME_BYTES + CONTENT_BYTES;
/// Digest that distinguishes the deliveries of one event made at the same instant.
const DELIVERY_BYTES: usize = 8;
const SUBSCRIBER_BYTES: usize = 16;

/// A text that isn't an id of the expected kind.
#[derive(Debug, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

fn time_bytes(at: Timestamp) -> [u8; TIME_BYTES] {
    let [_, _, bytes @ ..] = at.millis().to_be_bytes();
    bytes
}

fn time_of(bytes: &[u8]) -> Timestamp {
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&bytes[..TIME_BYTES]);
    Timestamp::from_millis(u64::from_be_bytes(millis))
}

/// The shard of an id, from the last character that carries five bits of its digest or random part.
pub fn shard(id: &str) -> usize {
    let character = id.as_bytes().iter().rev().nth(1).copied().unwrap_or(b'0');
    usize::from(if character.is_ascii_digit() {
        character - b'0'
    } else {
        character.wrapping_sub(b'a').wrapping_add(10)
    }) % SHARDS
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $bytes:expr, $encoded:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &'static str = $prefix;
            /// Regular expression that matches the ids of this kind and no other text.
            pub const PATTERN: &'static str = concat!("^", $prefix, $encoded, "$");

            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub fn shard(&self) -> usize {
                shard(&self.0)
            }

            #[allow(dead_code, reason = "not every kind of id converts from or to bytes")]
            fn from_bytes(bytes: &[u8; $bytes]) -> Self {
                Self(format!("{}{}", $prefix, BASE32.encode(bytes)))
            }

            #[allow(dead_code, reason = "not every kind of id converts from or to bytes")]
            fn bytes(&self) -> [u8; $bytes] {
                let decoded = BASE32.decode(&self.0.as_bytes()[$prefix.len()..]).unwrap_or_default();
                decoded.try_into().unwrap_or([0; $bytes])
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let encoded = text.strip_prefix($prefix).ok_or(NotAnId)?;
                let bytes = BASE32.decode(encoded.as_bytes()).map_err(|_| NotAnId)?;
                // The decoder also accepts upper case. Only the spelling that we write is a valid id.
                if bytes.len() != $bytes || BASE32.encode(&bytes) != encoded {
                    return Err(NotAnId);
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": Self::PATTERN })
            }

            fn inline_schema() -> bool {
                true
            }
        }
    };
}

macro_rules! timed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        id!($(#[$doc])* $name, $prefix, TIME_BYTES + RANDOM_BYTES, "[0-9a-v]{25}[048cgkos]");

        impl $name {
            pub fn new(at: Timestamp, random: [u8; RANDOM_BYTES]) -> Self {
                let mut bytes = [0; TIME_BYTES + RANDOM_BYTES];
                bytes[..TIME_BYTES].copy_from_slice(&time_bytes(at));
                bytes[TIME_BYTES..].copy_from_slice(&random);
                Self::from_bytes(&bytes)
            }

            pub fn time(&self) -> Timestamp {
                time_of(&self.bytes())
            }
        }
    };
}

timed_id!(
    /// An account on one platform, with a name and credentials.
    ConnectionId,
    "con_"
);
timed_id!(
    /// A secret URL for one trigger; the platform posts to it.
    HookId,
    "hook_"
);
timed_id!(
    /// The id of an API key, not its secret.
    KeyId,
    "key_"
);
timed_id!(
    /// A rule that sends events to a target.
    RouteId,
    "rt_"
);
timed_id!(
    /// One replay of stored events.
    ReplayId,
    "rpl_"
);
timed_id!(
    /// A call with a valid token that could not become an event.
    RejectedId,
    "rej_"
);
timed_id!(
    /// A stream record or queue message that was set aside because it could not be handled.
    DeadLetterId,
    "ltr_"
);
id!(
    /// An event.
    EventId,
    "evt_",
    EVENT_BYTES,
    "[0-9a-v]{41}[048cgkos]"
);
id!(
    /// A checkpoint record. Its id ends like the id of its event.
    RecordId,
    "cpr_",
    EVENT_BYTES,
    "[0-9a-v]{41}[048cgkos]"
);
id!(
    /// A takeover. Its id ends like the id of its event.
    TakeoverId,
    "tko_",
    EVENT_BYTES,
    "[0-9a-v]{41}[048cgkos]"
);
id!(
    /// A delivery. Its id begins like the id of its event.
    DeliveryId,
    "dlv_",
    EVENT_BYTES + TIME_BYTES + DELIVERY_BYTES,
    "[0-9a-v]{64}"
);
id!(
    /// A person on one connection.
    SubscriberId,
    "sub_",
    SUBSCRIBER_BYTES,
    "[0-9a-v]{25}[048cgkos]"
);

/// Length of the secret part of a hook token, in bytes.
pub const SECRET_BYTES: usize = 32;
/// Regular expression that every hook token matches.
pub const TOKEN_PATTERN: &str = "^[A-Za-z0-9_-]{64}$";

impl HookId {
    /// The hook's token: its id, which finds it with one Get, then 256 random bits, which authorise the call.
    pub fn token(&self, secret: &[u8; SECRET_BYTES]) -> String {
        let mut bytes = Vec::with_capacity(TIME_BYTES + RANDOM_BYTES + SECRET_BYTES);
        bytes.extend_from_slice(&self.bytes());
        bytes.extend_from_slice(secret);
        data_encoding::BASE64URL_NOPAD.encode(&bytes)
    }

    /// The id in a hook token. The token itself is not verified.
    pub fn of_token(token: &str) -> Option<Self> {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        if bytes.len() != TIME_BYTES + RANDOM_BYTES + SECRET_BYTES {
            return None;
        }
        bytes[..TIME_BYTES + RANDOM_BYTES].try_into().ok().map(|id| Self::from_bytes(&id))
    }
}

/// Dedupe key of a webhook call: a digest of the hook and the content, or of the platform's own message id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentKey([u8; CONTENT_BYTES]);

impl ContentKey {
    pub fn digest(hook: &HookId, parts: &[&[u8]]) -> Self {
        Self(digest(hook.as_str(), parts))
    }

    /// The key of an event about a route.
    pub fn of_route(route: &RouteId, parts: &[&[u8]]) -> Self {
        Self(digest(route.as_str(), parts))
    }

    /// A unique key, for a hook that doesn't deduplicate.
    pub const fn unique(random: [u8; CONTENT_BYTES]) -> Self {
        Self(random)
    }
}

impl fmt::Display for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32.encode(&self.0))
    }
}

impl EventId {
    pub fn new(at: Timestamp, key: ContentKey) -> Self {
        let mut bytes = [0; TIME_BYTES + CONTENT_BYTES];
        bytes[..TIME_BYTES].copy_from_slice(&time_bytes(at));
        bytes[TIME_BYTES..].copy_from_slice(&key.0);
        Self::from_bytes(&bytes)
    }

    /// The key that the event was stored under.
    pub fn key(&self) -> ContentKey {
        let mut key = [0; CONTENT_BYTES];
        key.copy_from_slice(&self.bytes()[TIME_BYTES..]);
        ContentKey(key)
    }

    /// Time at which the event was accepted.
    pub fn time(&self) -> Timestamp {
        time_of(&self.bytes())
    }

    pub fn record(&self) -> RecordId {
        RecordId::from_bytes(&self.bytes())
    }

    pub fn takeover(&self) -> TakeoverId {
        TakeoverId::from_bytes(&self.bytes())
    }
}

impl RecordId {
    /// The event that the record is stored in.
    pub fn event(&self) -> EventId {
        EventId::from_bytes(&self.bytes())
    }
}

impl SubscriberId {
    /// The same person is one subscriber over all hooks of a connection.
    pub fn derive(platform: &str, connection: &ConnectionId, platform_id: &str) -> Self {
        let parts = [platform, connection.as_str(), platform_id].map(str::as_bytes);
        Self::from_bytes(&digest::<SUBSCRIBER_BYTES>("", &parts))
    }
}

impl RouteId {
    /// The id of an MCP subscription. It begins with a byte that no time begins with, so subscriptions sort after routes.
    pub fn of_subscription(key: &KeyId, url: &str, event_type: &str, arguments: &str) -> Self {
        let parts = [key.as_str(), url, event_type, arguments].map(str::as_bytes);
        let mut bytes = [0xff; TIME_BYTES + RANDOM_BYTES];
        bytes[1..].copy_from_slice(&digest::<{ TIME_BYTES + RANDOM_BYTES - 1 }>("", &parts));
        Self::from_bytes(&bytes)
    }
}

impl DeliveryId {
    /// The same event and route give the same delivery, except for replays: each makes its own. An event's deliveries
    /// sort by the time of their replay, after those without one.
    pub fn derive(event: &EventId, route: &RouteId, replay: Option<&ReplayId>) -> Self {
        let parts = [event.as_str(), route.as_str(), replay.map_or("", ReplayId::as_str)].map(str::as_bytes);
        let mut bytes = [0; EVENT_BYTES + TIME_BYTES + DELIVERY_BYTES];
        bytes[..EVENT_BYTES].copy_from_slice(&event.bytes());
        if let Some(replay) = replay {
            bytes[EVENT_BYTES..][..TIME_BYTES].copy_from_slice(&time_bytes(replay.time()));
        }
        bytes[EVENT_BYTES + TIME_BYTES..].copy_from_slice(&digest::<DELIVERY_BYTES>("", &parts));
        Self::from_bytes(&bytes)
    }

    pub fn event(&self) -> EventId {
        let mut event = [0; EVENT_BYTES];
        event.copy_from_slice(&self.bytes()[..EVENT_BYTES]);
        EventId::from_bytes(&event)
    }
}

/// The first `N` bytes of a SHA-256 over a prefix and parts. All prefixes have the same length, and each part is
/// preceded by its length, so two lists of parts never give the same bytes.
fn digest<const N: usize>(prefix: &str, parts: &[&[u8]]) -> [u8; N] {
    let mut digest = Context::new(&SHA256);
    digest.update(prefix.as_bytes());
    for part in parts {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut bytes = [0; N];
    bytes.copy_from_slice(&digest.finish().as_ref()[..N]);
    bytes
}

/// The lowest text that sorts at or after every timed id of this prefix made before `at`.
pub fn lower_bound(prefix: &str, at: Timestamp) -> String {
    // Six bytes end within the tenth character. Its low bits belong to the next byte: they are zero here.
    format!("{prefix}{}", BASE32.encode(&time_bytes(at)))
}
