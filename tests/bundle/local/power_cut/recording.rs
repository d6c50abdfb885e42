//! A recording of the changes that `local` makes to its data folder, and of the answers that it gives meanwhile.
//!
//! `recorder.c` writes the changes into a file, one after the other. The length of that file is the clock: it grows with
//! each change, so an answer that came at some length came after all changes before it.

use crate::support::{functions::root, target::ALLOW};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tests::Process;

/// Length of the recording at some time.
pub type Position = usize;

/// Fact in an answer of `local`, or in a request to a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// The event is stored.
    Event(String),
    /// The delivery has had so many attempts, the last of which may have succeeded.
    Delivery { id: String, attempts: usize, succeeded: bool },
}

/// A change of the folder's files. A handle is an open file; the names are those in the folder.
pub enum Change<'a> {
    Opened {
        handle: u64,
        name: &'a str,
        created: bool,
    },
    Written {
        handle: u64,
        offset: usize,
        data: &'a [u8],
    },
    Truncated {
        handle: u64,
        size: usize,
    },
    /// Covers the changes before `began`.
    Synced {
        handle: u64,
        began: Position,
    },
    Unlinked {
        name: &'a str,
    },
    Renamed {
        from: &'a str,
        to: &'a str,
    },
}

pub struct Recording {
    folder: TempDir,
    facts: Mutex<BTreeMap<Fact, Position>>,
}

impl Recording {
    /// Compiles the recorder. The recording and the data folder are in this folder.
    pub fn prepare(folder: TempDir) -> Arc<Self> {
        let recording = Self { folder, facts: Mutex::default() };
        let source = root().join("tests/bundle/local/power_cut/recorder.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", "-o"]);
        let compiled = compiler.arg(recording.path("recorder.so")).arg(source).status().expect("a C compiler");
        assert!(compiled.success(), "the recorder does not compile");
        Arc::new(recording)
    }

    /// Starts `local` under the recorder.
    pub fn start(&self, settings: &[(&str, &str)]) -> (Process, String) {
        let [library, data, log, failure] =
            ["recorder.so", "data", "log", "failure"].map(|name| self.path(name).to_str().unwrap().to_owned());
        let own = [
            ("LD_PRELOAD", library.as_str()),
            ("RECORD_FOLDER", &data),
            ("RECORD_LOG", &log),
            ("RECORD_FAILURE", &failure),
            ALLOW,
        ];
        Process::start_with(&self.data(), &[&own, settings].concat())
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// From now on, every sync fails with EIO.
    pub fn fail_syncs(&self) {
        fs::write(self.path("failure"), "").unwrap();
    }

    pub fn position(&self) -> Position {
        fs::metadata(self.path("log")).unwrap().len().try_into().unwrap()
    }

    /// Keeps a fact that has just arrived.
    pub fn learn(&self, fact: Fact) {
        let position = self.position();
        self.facts.lock().unwrap().entry(fact).or_insert(position);
    }

    /// Facts with the positions at which they had first arrived.
    pub fn facts(&self) -> BTreeMap<Fact, Position> {
        self.facts.lock().unwrap().clone()
    }

    pub fn bytes(&self) -> Vec<u8> {
        fs::read(self.path("log")).unwrap()
    }

    /// Creates a folder beside the data folder, which is removed on drop.
    pub fn new_folder(&self) -> TempDir {
        TempDir::new_in(self.folder.path()).unwrap()
    }
}

/// Files of a folder by their names, except for SQLite's shared memory, which isn't recorded.
pub fn files(folder: &Path) -> impl Iterator<Item = (String, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .filter(|(name, _)| !name.ends_with("-shm"))
        .map(|(name, path)| (name, fs::read(path).unwrap()))
}

/// Changes in their order, each with its end in the recording.
pub fn changes(recording: &[u8]) -> impl Iterator<Item = (Position, Change<'_>)> {
    const HEADER_BYTES: usize = 24;
    let mut rest = recording;
    std::iter::from_fn(move || {
        let (header, after) = rest.split_at_checked(HEADER_BYTES)?;
        let word = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_ne_bytes(header[at..at + 8].try_into().unwrap());
        let (data, after) = after.split_at(word(4).try_into().unwrap());
        let (handle, number) = (long(8), usize::try_from(long(16)).unwrap());
        let text = |bytes| str::from_utf8(bytes).unwrap();
        let change = match word(0) {
            0 => Change::Opened { handle, name: text(data), created: number != 0 },
            1 => Change::Written { handle, offset: number, data },
            2 => Change::Truncated { handle, size: number },
            3 => Change::Synced { handle, began: number },
            4 => Change::Unlinked { name: text(data) },
            5 => Change::Renamed { from: text(&data[..number]), to: text(&data[number..]) },
            kind => panic!("the recorder writes no change {kind}"),
        };
        rest = after;
        Some((recording.len() - rest.len(), change))
    })
}

/// Number of writes to the file of this name after this position.
pub fn writes_to(name: &str, changes: &[(Position, Change<'_>)], after: Position) -> usize {
    let opened = |(_, change): &(Position, Change<'_>)| match change {
        Change::Opened { handle, name: opened, .. } if *opened == name => Some(*handle),
        _ => None,
    };
    let handles: BTreeSet<u64> = changes.iter().filter_map(opened).collect();
    let later = changes.iter().filter(|(end, _)| *end > after);
    later.filter(|(_, change)| matches!(change, Change::Written { handle, .. } if handles.contains(handle))).count()
}
