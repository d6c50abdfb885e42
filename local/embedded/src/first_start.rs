//! The first start of a database, until its tables exist.
//!
//! The engine creates a table in several transactions, so a process that ends among them leaves a table without its
//! indexes or its stream. Until all tables are on disk, a marker file is beside the database. An open that finds it
//! deletes the database, which has never been served, and begins anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::log_sync::{sync_directory, sync_now};
use crate::private_file;

pub(crate) struct FirstStart {
    database: PathBuf,
    marker: PathBuf,
}

impl FirstStart {
    /// Must be called before the database is opened. None if its first start has ended.
    pub(crate) fn prepare(database: &Path) -> io::Result<Option<Self>> {
        let marker = database.with_extension("creating");
        if marker.try_exists()? {
            for end in ["", "-journal", "-shm", "-wal"] {
                let mut file = database.as_os_str().to_owned();
                file.push(end);
                fs::remove_file(file).or_else(|error| match error.kind() {
                    io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                })?;
            }
        } else if database.try_exists()? {
            return Ok(None);
        }
        private_file(&marker)?;
        database.parent().map_or(Ok(()), sync_directory)?;
        Ok(Some(Self { database: database.to_owned(), marker }))
    }

    /// Must be called once all tables exist, before anything else is written. Later calls do nothing.
    pub(crate) fn end(&self) -> io::Result<()> {
        if !self.marker.try_exists()? {
            return Ok(());
        }
        sync_now(&self.database)?;
        fs::remove_file(&self.marker)?;
        // Before anything is acknowledged: the next open must not find the marker.
        self.database.parent().map_or(Ok(()), sync_directory)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_database_is_made_anew_until_its_first_start_has_ended() {
        let directory = TempDir::new().unwrap();
        let database = directory.path().join("test.db");
        let log = directory.path().join("test.db-wal");
        for _ in 0..2 {
            let first = FirstStart::prepare(&database).unwrap();
            assert!(first.is_some() && !database.exists() && !log.exists());
            fs::write(&database, "half").unwrap();
            fs::write(&log, "half").unwrap();
        }
        let first = FirstStart::prepare(&database).unwrap().unwrap();
        fs::write(&database, "whole").unwrap();
        fs::write(&log, "whole").unwrap();
        first.end().unwrap();
        first.end().unwrap();
        assert!(FirstStart::prepare(&database).unwrap().is_none());
        assert_eq!(fs::read(&database).unwrap(), b"whole");
    }
}
