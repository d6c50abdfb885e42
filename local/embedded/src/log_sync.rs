//! Group commit: one thread syncs SQLite's write-ahead log, and each sync covers all writes that ended before it began.
//!
//! The engine commits with `synchronous = NORMAL`, without a sync of its own. So an answer waits until every write that
//! it may have seen is on disk: its own, and those of others. SQLite syncs checkpoints itself: with NORMAL, it syncs the
//! log before it copies pages into the database, and the database before it overwrites the log.
//! <https://www.sqlite.org/pragma.html#pragma_synchronous>

use std::fs::File;
use std::future::pending;
use std::io;
use std::path::Path;
use std::process::exit;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::watch;

/// The log's syncing thread. It is joined on drop, which must come before the database is closed: SQLite then deletes
/// the log.
pub(crate) struct LogSync {
    writes: Arc<Writes>,
    synced: watch::Receiver<u64>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Writes {
    counts: Mutex<Counts>,
    changed: Condvar,
}

/// Numbers of writes. They run one at a time, so at most one has begun and not ended.
#[derive(Default)]
struct Counts {
    begun: u64,
    ended: u64,
    is_closing: bool,
}

/// A running write, ended on drop.
pub(crate) struct Write<'a>(&'a Writes);

/// Syncs all writes that have ended, and the entries of new files in their directory. Returns the log.
pub(crate) fn sync_now(database: &Path) -> io::Result<File> {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let log = File::open(log)?;
    log.sync_data()?;
    database.parent().map_or(Ok(()), sync_directory)?;
    Ok(log)
}

pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

impl LogSync {
    /// Starts to sync the log of a database that is open. An earlier process may have died between a write and its
    /// sync, so the log is synced once before this returns.
    pub(crate) fn start(database: &Path) -> io::Result<Self> {
        let log = sync_now(database)?;
        let (sender, synced) = watch::channel(0);
        let writes = Arc::new(Writes::default());
        let of_thread = Arc::clone(&writes);
        let thread = thread::Builder::new().name("log-sync".to_owned());
        let thread = Some(thread.spawn(move || of_thread.sync_each(&log, &sender))?);
        Ok(Self { writes, synced, thread })
    }

    /// Must be called by one writer at a time, before it writes.
    pub(crate) fn begin(&self) -> Write<'_> {
        self.writes.lock().begun += 1;
        Write(&self.writes)
    }

    /// Number of the last write that a reader may have seen by now.
    pub(crate) fn begun(&self) -> u64 {
        self.writes.lock().begun
    }

    /// Resolves when this write and all before it are on disk.
    pub(crate) async fn reached(&self, write: u64) {
        if self.synced.clone().wait_for(|synced| *synced >= write).await.is_err() {
            // Without its thread, nothing may be acknowledged.
            pending().await
        }
    }
}

impl Writes {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync_each(&self, log: &File, sender: &watch::Sender<u64>) {
        let mut synced = 0;
        while let Some(ended) = self.ended_after(synced) {
            if let Err(error) = log.sync_data() {
                // A second attempt may succeed although the kernel has dropped the pages of the first.
                tracing::error!(cause = %error, "the database can't be synced to disk; stopping");
                exit(1);
            }
            synced = ended;
            sender.send_replace(synced);
        }
    }

    /// The last ended write, once there is one after this one. None on closing, if all are synced.
    fn ended_after(&self, synced: u64) -> Option<u64> {
        let mut counts = self.lock();
        while counts.ended == synced && !counts.is_closing {
            counts = self.changed.wait(counts).unwrap_or_else(PoisonError::into_inner);
        }
        (counts.ended > synced).then_some(counts.ended)
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.lock();
        counts.ended = counts.begun;
        self.0.changed.notify_one();
    }
}

impl Drop for LogSync {
    fn drop(&mut self) {
        self.writes.lock().is_closing = true;
        self.writes.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_reader_waits_for_the_sync_of_a_write_that_it_may_have_seen() {
        let directory = TempDir::new().unwrap();
        let database = directory.path().join("test.db");
        File::create(directory.path().join("test.db-wal")).unwrap();
        let log_sync = LogSync::start(&database).unwrap();
        log_sync.reached(log_sync.begun()).await;
        let write = log_sync.begin();
        let seen = log_sync.begun();
        let waits = timeout(Duration::from_millis(50), log_sync.reached(seen)).await;
        assert!(waits.is_err(), "the write has not ended");
        drop(write);
        log_sync.reached(seen).await;
        drop(log_sync.begin());
        let last = log_sync.begun();
        assert_eq!(last, seen + 1);
        let synced = log_sync.synced.clone();
        drop(log_sync);
        assert_eq!(*synced.borrow(), last, "it ends with a sync of all");
    }
}
