//! DynamoDB inside the process, for a laptop and for tests.
//!
//! [`Database`] is one SQLite file under the engine `dynoxide`. What this crate adds to the engine:
//!
//! - [`Database::sdk_config`]: `aws-sdk-dynamodb` talks to it without a socket, so no web page and no other program
//!   on the laptop can read it;
//! - [`Database::follow`]: a table's stream as Lambda's event source mapping hands it out, pruned as it is handled;
//! - [`serve`]: the same operations over HTTP for functions that run as processes of their own, behind a random key;
//! - an index and the pruning, without which every put reads all the events that a table ever had.
//!
//! Invariant: a write is acknowledged after SQLite has synced it to disk ([`Location::Directory`]). The engine's own
//! connection keeps its `synchronous = FULL`; only [`Location::Temporary`] turns that off.
//!
//! Absent on purpose: `Scan` and every operation that the product doesn't use. They are refused, here as by a
//! function's policy on AWS.

mod client;
mod operations;
mod server;
mod stream_rows;
mod streams;
mod tables;

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dynoxide::DynoxideError;
use tempfile::TempDir;
use tokio::sync::{Notify, Semaphore};

pub use operations::{CONTENT_TYPE, Reply};
pub use server::serve;
pub use streams::{Batch, Follower, Position};
pub use tables::{IndexSpec, TableSpec};

use stream_rows::{Durability, StreamRows};

/// The database's file in its directory.
pub const DATABASE_FILE: &str = "switchboard.db";
const LOCK_FILE: &str = "switchboard.lock";
/// How many operations run at once. SQLite does one after the other, so more would be threads that wait, each with memory.
const HANDS: usize = 2;

/// Where the data is.
#[derive(Clone, Debug)]
pub enum Location {
    /// Kept in this directory, which is made, for its owner alone, if it is absent.
    Directory(PathBuf),
    /// Gone with the last clone of the [`Database`]. Nothing is synced to disk, so tests are quick.
    Temporary,
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory can't be made, or the lock in it can't be.
    #[error("cannot use the directory {}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    /// Two processes on one database would each hand out the same events.
    #[error("the directory {} is in use by another process; stop that one or choose another directory", path.display())]
    InUse { path: PathBuf },
    /// The file is no database, or was written by a newer engine.
    #[error("cannot open the database")]
    Engine(#[from] DynoxideError),
    /// The second connection, which prunes the streams, can't be made.
    #[error("cannot prepare the streams")]
    StreamRows(#[from] rusqlite::Error),
}

/// Why the database did not do what it was asked, outside the operations of the SDK.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the embedded database failed")]
    Engine(#[from] DynoxideError),
    #[error("cannot prune the stream")]
    Prune(#[from] rusqlite::Error),
    #[error("the table {table} is absent or has no stream")]
    NoStream { table: String },
    #[error("cannot turn a stream record into JSON")]
    Record(#[from] serde_json::Error),
    #[error("a database task died")]
    Task(#[from] tokio::task::JoinError),
}

/// A handle to the one database of this process; clones share it.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

// Dropped in this order: both connections are closed before the lock is released and the directory removed.
struct Inner {
    engine: dynoxide::Database,
    stream_rows: StreamRows,
    hands: Arc<Semaphore>,
    writing: Mutex<()>,
    written: Notify,
    calls: Mutex<BTreeMap<(String, String), u64>>,
    _lock: File,
    _temporary: Option<TempDir>,
}

impl Database {
    pub fn open(location: Location) -> Result<Self, OpenError> {
        let (directory, temporary) = prepare(location)?;
        let lock = lock(&directory)?;
        let file = directory.join(DATABASE_FILE);
        let unusable = |source| OpenError::Directory { path: directory.clone(), source };
        // SQLite gives its other files the mode of this one.
        private_file(&file).map_err(unusable)?;
        let name = file
            .to_str()
            .ok_or_else(|| unusable(io::Error::new(io::ErrorKind::InvalidFilename, "the path is not UTF-8")))?;

        let engine = dynoxide::Database::new(name)?;
        let durability = if temporary.is_some() {
            engine.enable_bulk_loading()?;
            Durability::None
        } else {
            Durability::Kept
        };
        let stream_rows = StreamRows::open(&file, durability)?;
        Ok(Self(Arc::new(Inner {
            engine,
            stream_rows,
            hands: Arc::new(Semaphore::new(HANDS)),
            writing: Mutex::default(),
            written: Notify::new(),
            calls: Mutex::default(),
            _lock: lock,
            _temporary: temporary,
        })))
    }

    /// How often each operation has run so far, by operation and table. A batch or a transaction counts once, under
    /// the names of its tables joined by `+`; PartiQL under an empty name.
    pub fn calls(&self) -> BTreeMap<(String, String), u64> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Deletes the items whose time to live is over, with their stream records, and returns how many. DynamoDB does
    /// this by itself; the engine does it only when told, so a timer has to. Blocks: call it where that is allowed.
    pub fn sweep_expired(&self) -> Result<usize, Error> {
        let deleted = self.0.engine.sweep_ttl()?;
        self.0.written.notify_waiters();
        Ok(deleted)
    }

    /// For a writer to hold. The two connections could do without, but SQLite keeps no queue for its lock: who waits
    /// looks again ever more seldom, and eight busy writers kept the pruning out for seconds.
    fn turn_to_write(&self) -> MutexGuard<'_, ()> {
        self.0.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prepare(location: Location) -> Result<(PathBuf, Option<TempDir>), OpenError> {
    match location {
        Location::Directory(path) => match private_directory(&path) {
            Ok(()) => Ok((path, None)),
            Err(source) => Err(OpenError::Directory { path, source }),
        },
        Location::Temporary => {
            let temporary =
                TempDir::new().map_err(|source| OpenError::Directory { path: std::env::temp_dir(), source })?;
            Ok((temporary.path().to_owned(), Some(temporary)))
        }
    }
}

fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Opens a file, which is made for its owner alone if it is absent.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.append(true).create(true).open(path)
}

/// Taken from the operating system, so it is free again whichever way the process ends.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = || directory.to_owned();
    let file =
        private_file(&directory.join(LOCK_FILE)).map_err(|source| OpenError::Directory { path: path(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Directory { path: path(), source }),
    }
}
