//! DynamoDB inside the process, for a laptop and for tests.
//!
//! [`Database`] is one SQLite file with the engine `dynoxide`. This crate adds to the engine:
//!
//! - [`Database::sdk_config`]: `aws-sdk-dynamodb` uses it without a socket, so no web page and no other program on the
//!   laptop can read it;
//! - [`Database::follow`]: reads a table's stream in batches, like Lambda's event source mapping; handled records are
//!   deleted;
//! - [`Database::delete_expired`]: time to live, without stopping all writes meanwhile;
//! - [`Database::write_messages`]: a queue's messages, which outlive the process;
//! - [`serve`]: the same operations over HTTP, protected by a random key, for functions that run as processes of their
//!   own;
//! - an index on the stream records. Without it and the deletion, every put would read all earlier stream records of its
//!   table.
//!
//! Invariant: every answer, also a read's, waits until all that it reports is synced to disk (`log_sync`). Only
//! [`Location::Temporary`] turns that off.
//!
//! Deliberately absent: `Scan` and all operations that Switchboard does not use. They are rejected, as by a function's
//! policy on AWS.

mod client;
mod clustered;
mod directory;
mod expiry;
mod first_start;
mod log_sync;
mod operations;
mod queue_rows;
mod second_connection;
mod server;
mod statements;
mod stream_rows;
mod streams;
mod tables;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use dynoxide::DynoxideError;
use tokio::sync::Notify;

pub use directory::{Directory, Location};
pub use expiry::{ExpiryPage, PageStart};
pub use operations::{CONTENT_TYPE, Reply};
pub use queue_rows::MessageNumber;
pub use server::serve;
pub use streams::{Batch, Follower, Position};
pub use tables::{IndexSpec, TableSpec};

use directory::private_file;
use first_start::FirstStart;
use log_sync::LogSync;
use queue_rows::QueueRows;
use second_connection::{Durability, SecondConnection};
use stream_rows::StreamRows;
use worker::Worker;

/// File name of the database.
pub const DATABASE_FILE: &str = "switchboard.db";

/// The reason why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or its lock can't be created.
    #[error("cannot use the directory {}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    /// Two processes on one database would each process the same events.
    #[error("the directory {} is in use by another process; stop that one or choose another directory", path.display())]
    InUse { path: PathBuf },
    /// The file is not a database, or was written by a newer engine.
    #[error("cannot open the database")]
    Engine(#[from] DynoxideError),
    /// The second connection, for the streams and the queue, can't be created.
    #[error("cannot prepare the streams and the queue")]
    SecondConnection(#[from] rusqlite::Error),
}

/// An error outside the operations of the SDK.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the embedded database failed")]
    Engine(#[from] DynoxideError),
    #[error("cannot change the stream, the queue or a new table")]
    SecondConnection(#[from] rusqlite::Error),
    #[error("the table {table} is absent or has no stream")]
    NoStream { table: String },
    #[error("cannot sync the new tables")]
    Sync(#[from] io::Error),
    #[error("cannot turn a stream record into JSON")]
    Record(#[from] serde_json::Error),
    #[error("an operation of the database panicked")]
    Panic,
}

/// A handle to the database of this process; clones share it.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

// Drop order: the syncing ends before the connections are closed, and they before the directory is unlocked and, if it is
// temporary, removed.
struct Inner {
    /// None if nothing is synced.
    log_sync: Option<LogSync>,
    engine: dynoxide::Database,
    /// The engine on a connection of its own, for reads.
    reader: dynoxide::Database,
    second_connection: SecondConnection,
    stream_rows: StreamRows,
    queue_rows: QueueRows,
    /// Runs all that writes: the engine and the second connection share SQLite's one lock for writers.
    writes: Worker,
    /// Runs reads, which wait for no write.
    reads: Worker,
    written: Notify,
    calls: Mutex<BTreeMap<(String, String), u64>>,
    first_start: Option<FirstStart>,
    _directory: Directory,
}

impl Database {
    /// Locks the directory and opens its database.
    pub fn open(location: Location) -> Result<Self, OpenError> {
        Self::open_in(Directory::lock(location)?)
    }

    /// Opens the database of a directory that the caller has locked, for example to write other files there first.
    pub fn open_in(directory: Directory) -> Result<Self, OpenError> {
        let file = directory.path().join(DATABASE_FILE);
        let unusable = |source: io::Error| OpenError::Directory { path: directory.path().to_owned(), source };
        let first_start = if directory.is_temporary() { None } else { FirstStart::prepare(&file).map_err(unusable)? };
        // SQLite gives its other files the same mode.
        private_file(&file).map_err(unusable)?;
        let name = file
            .to_str()
            .ok_or_else(|| unusable(io::Error::new(io::ErrorKind::InvalidFilename, "the path is not UTF-8")))?;

        let engine = dynoxide::Database::new(name)?;
        let durability = if directory.is_temporary() {
            engine.enable_bulk_loading()?;
            Durability::None
        } else {
            // Sets `synchronous = NORMAL`, and the defaults of all else.
            engine.disable_bulk_loading()?;
            Durability::Kept
        };
        let reader = dynoxide::Database::new(name)?;
        let second_connection = SecondConnection::open(&file, durability)?;
        let stream_rows = StreamRows::new(second_connection.clone())?;
        let queue_rows = QueueRows::new(second_connection.clone())?;
        let log_sync = match durability {
            Durability::Kept => Some(LogSync::start(&file).map_err(unusable)?),
            Durability::None => None,
        };
        Ok(Self(Arc::new(Inner {
            log_sync,
            engine,
            reader,
            second_connection,
            stream_rows,
            queue_rows,
            writes: Worker::start("database-write").map_err(unusable)?,
            reads: Worker::start("database-read").map_err(unusable)?,
            written: Notify::new(),
            calls: Mutex::default(),
            first_start,
            _directory: directory,
        })))
    }

    /// Number of calls so far, by operation and table. A batch or a transaction counts as one call; its table
    /// is the names of all its tables, joined by `+`. For PartiQL the table is empty.
    pub fn calls(&self) -> BTreeMap<(String, String), u64> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs a write of the engine, and wakes the followers of streams. Returns once it is on disk.
    async fn write_items<T: Send + 'static>(
        &self,
        write: impl FnOnce(&dynoxide::Database) -> T + Send + 'static,
    ) -> Result<T, Error> {
        self.write(|inner| {
            let result = write(&inner.engine);
            // Also after a failure: a batch may have been partly written.
            inner.written.notify_waiters();
            result
        })
        .await
    }

    /// Runs a write. Once begun it completes, even if the caller stops waiting. Returns once it is on disk.
    async fn write<T: Send + 'static>(&self, write: impl FnOnce(&Inner) -> T + Send + 'static) -> Result<T, Error> {
        let database = self.clone();
        let job = move || (database.0.count_write(write), database.0.last_seen());
        let (result, seen) = self.0.writes.run(job).await?;
        self.synced(seen).await;
        Ok(result)
    }

    /// Runs a read. Returns once all that it may have seen is on disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dynoxide::Database) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let database = self.clone();
        let job = move || (read(&database.0.reader), database.0.last_seen());
        let (result, seen) = self.0.reads.run(job).await?;
        self.synced(seen).await;
        Ok(result)
    }

    /// Resolves when this write and all before it are on disk.
    async fn synced(&self, write: u64) {
        if let Some(log_sync) = &self.0.log_sync {
            log_sync.reached(write).await;
        }
    }
}

impl Inner {
    /// Runs a write that is counted for the next sync. One write at a time: other than here, they run on `writes`.
    fn count_write<T>(&self, write: impl FnOnce(&Self) -> T) -> T {
        let _counted = self.log_sync.as_ref().map(LogSync::begin);
        write(self)
    }

    /// The last write that an operation which has just ended may report.
    fn last_seen(&self) -> u64 {
        self.log_sync.as_ref().map_or(0, LogSync::begun)
    }
}
