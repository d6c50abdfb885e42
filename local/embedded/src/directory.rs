//! The directory of a database, for one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::OpenError;

const LOCK_FILE: &str = "switchboard.lock";

/// Location of the data.
#[derive(Clone, Debug)]
pub enum Location {
    /// In this directory. If it does not exist, it is created, and only its owner can access it (mode 0700).
    Directory(PathBuf),
    /// Deleted with the last clone of the [`Database`](crate::Database). Nothing is synced to disk, so tests are fast.
    Temporary,
}

/// A directory that no other process uses until this is dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// The operating system releases it however the process ends.
    _lock: File,
    temporary: Option<TempDir>,
}

impl Directory {
    /// Creates the directory if needed. Fails with [`OpenError::InUse`] if another process has locked it.
    pub fn lock(location: Location) -> Result<Self, OpenError> {
        let (path, temporary) = match location {
            Location::Directory(path) => (path, None),
            Location::Temporary => {
                let made = TempDir::new();
                let made = made.map_err(|source| OpenError::Directory { path: std::env::temp_dir(), source })?;
                (made.path().to_owned(), Some(made))
            }
        };
        let unusable = |source| OpenError::Directory { path: path.clone(), source };
        let lock = private_directory(&path).and_then(|()| private_file(&path.join(LOCK_FILE))).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock, temporary }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(OpenError::Directory { path, source }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }
}

fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Opens a file. If it does not exist, it is created for its owner alone.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.append(true).create(true).open(path)
}
