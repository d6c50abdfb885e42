//! Connections: named accounts with sealed credentials.

use super::control::Controlled;
use models::{ConnectionId, Fault, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connection {
    pub id: ConnectionId,
    pub v: u32,
    pub version: u64,
    pub platform: String,
    pub name: String,
    /// Sealed credentials as JSON; none for a connection without any.
    pub sealed: Option<String>,
    /// The credentials as JSON, masked for reads.
    pub masked: String,
    /// Weak credentials that should be replaced, with the reasons.
    #[serde(default)]
    pub warnings: Vec<Fault>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Controlled for Connection {
    const KIND: &'static str = "connection";
    type Id = ConnectionId;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}
