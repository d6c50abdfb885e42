//! A connection to the engine's file beside its own, for tables and rows that the engine doesn't manage.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

/// The engine waits as long for this connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Data that a power failure may lose.
#[derive(Clone, Copy)]
pub(crate) enum Durability {
    /// Nothing that was waited for. A sync of the write-ahead log covers this connection's writes as well.
    Kept,
    /// Everything.
    None,
}

#[derive(Clone)]
pub(crate) struct SecondConnection(Arc<Mutex<Connection>>);

impl SecondConnection {
    pub(crate) fn open(file: &Path, durability: Durability) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // With NORMAL a checkpoint still syncs the log before it copies it into the database. OFF would skip that as
        // well and endanger the engine's writes.
        let synchronous = match durability {
            Durability::Kept => "NORMAL",
            Durability::None => "OFF",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
