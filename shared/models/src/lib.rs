//! Switchboard's domain types: ids, events, deliveries, records and modules' definitions. No I/O except the system's
//! clock and random bytes.

pub mod cache;
pub mod clock;
pub mod delivery;
pub mod envelope;
pub mod event;
pub mod failure;
pub mod folding;
pub mod ids;
pub mod key;
pub mod module;
pub mod own_event;
pub mod packing;
pub mod records;
pub mod subscriber;
pub mod time;

pub use delivery::{Delivery, DeliveryState, StoredDelivery};
pub use envelope::Envelope;
pub use event::StoredEvent;
pub use failure::{Failure, FailureKind, causes};
pub use folding::Folding;
pub use ids::{
    ConnectionId, DeadLetterId, DeliveryId, EventId, HookId, KeyId, RecordId, RejectedId, ReplayId, RouteId,
    SubscriberId, TakeoverId,
};
pub use key::{KnownKey, Scope, fingerprint};
pub use module::{Action, Effect, Fault, Header, MessageKey, Module, ModuleKind, Records, Trigger};
pub use records::{CheckpointRecord, Takeover, TakeoverState};
pub use subscriber::{Person, Profile, Subscriber};
pub use time::Timestamp;
