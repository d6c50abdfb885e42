//! Definitions of the tables. `local` creates them from here, and a test compares `template.yaml` with them.

/// A DynamoDB table: string keys, on-demand, every index keys-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// The setting with the table's name in a deployment.
    pub variable: &'static str,
    pub key: &'static str,
    pub sort: Option<&'static str>,
    pub indexes: &'static [Index],
    pub ttl: Option<&'static str>,
    /// True if its changes are streamed, with new and old images.
    pub stream: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    pub name: &'static str,
    pub key: &'static str,
    pub sort: &'static str,
}

/// All items of a kind, newest first, over [`crate::SHARDS`] partition keys.
pub const BY_TIME: Index = Index { name: "by_time", key: "list", sort: "sort" };

/// All items of one person, for a subscriber's history and erasure.
pub const BY_PERSON: Index = Index { name: "by_person", key: "person", sort: "sort" };

/// Pending deliveries by their next check.
pub const DUE: Index = Index { name: "due", key: "due", sort: "due_at" };

/// Dead letters.
pub const DEAD: Index = Index { name: "dead", key: "dead", sort: "sort" };

/// Connections, hooks, routes and keys, the versions of the references between them, and for a day the answers of calls
/// with an idempotency key.
pub const CONTROL: Table = Table {
    name: "control",
    variable: "CONTROL_TABLE",
    key: "pk",
    sort: Some("sk"),
    indexes: &[],
    ttl: Some("expires"),
    stream: false,
};

/// Webhook calls: events, of which some are checkpoint records, and rejected calls.
pub const EVENTS: Table = Table {
    name: "events",
    variable: "EVENTS_TABLE",
    key: "pk",
    sort: None,
    indexes: &[BY_TIME, BY_PERSON],
    ttl: Some("expires"),
    stream: true,
};

/// Records derived from events: subscribers and takeovers.
pub const RECORDS: Table = Table {
    name: "records",
    variable: "RECORDS_TABLE",
    key: "pk",
    sort: None,
    indexes: &[BY_TIME, BY_PERSON],
    ttl: None,
    stream: false,
};

/// Deliveries, by event. A delivery that succeeds immediately is in no index, because each entry written and deleted
/// would cost as much as the delivery itself.
pub const DELIVERIES: Table = Table {
    name: "deliveries",
    variable: "DELIVERIES_TABLE",
    key: "pk",
    sort: Some("sk"),
    indexes: &[DUE, DEAD],
    ttl: Some("expires"),
    stream: false,
};

pub const TABLES: [Table; 4] = [CONTROL, EVENTS, RECORDS, DELIVERIES];
