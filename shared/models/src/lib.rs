//! The words of Switchboard as types: ids, events, records, mappings and the statements of modules. No I/O, no clock.

pub mod body;
pub mod delivery;
pub mod envelope;
pub mod event;
pub mod ids;
pub mod mapping;
pub mod module;
pub mod number;
pub mod own_event;
pub mod records;
pub mod subscriber;
pub mod time;
pub mod view;

pub use delivery::{Delivery, DeliveryState, StoredDelivery};
pub use envelope::Envelope;
pub use event::StoredEvent;
pub use ids::{
    ConnectionId, DeadLetterId, DeliveryId, EventId, HookId, KeyId, RecordId, RejectedId, ReplayId, RouteId,
    SubscriberId, TakeoverId,
};
pub use mapping::{Field, Mapping, Reading};
pub use module::{Action, Effect, Fault, Header, Kind, MessageKey, Module, Records, Trigger};
pub use records::{CheckpointRecord, Takeover, TakeoverState};
pub use subscriber::{Person, Profile, Subscriber};
pub use time::Timestamp;
pub use view::View;
