//! A disk that loses power: synced changes are on it, and any part of the others.

use super::recording::{Change, Position};
use std::{
    collections::{BTreeMap, HashMap},
    fs::OpenOptions,
    io::Write as _,
    mem,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// The folder itself as a file: its changes are those of names.
const FOLDER: usize = 0;
const SECTOR_BYTES: usize = 512;
const PAGE_BYTES: usize = 4096;

/// Files of a folder by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

/// State of the disk after some changes of a recording.
#[derive(Default)]
pub struct Disk<'a> {
    synced: State<'a>,
    unsynced: Vec<Unsynced<'a>>,
    /// As the process sees them, whether synced or not.
    names: BTreeMap<&'a str, usize>,
    handles: HashMap<u64, usize>,
    last_file: usize,
}

#[derive(Clone, Default)]
struct State<'a> {
    names: BTreeMap<&'a str, usize>,
    contents: BTreeMap<usize, Vec<u8>>,
}

struct Unsynced<'a> {
    at: Position,
    file: usize,
    edit: Edit<'a>,
}

enum Edit<'a> {
    Write { offset: usize, data: &'a [u8] },
    Truncate(usize),
    Link(&'a str, usize),
    Unlink(&'a str),
    Rename { from: &'a str, to: &'a str, file: usize },
}

/// Share of the unsynced changes that a power cut leaves.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    kept_percent: u64,
    /// Border at which writes are torn.
    unit: usize,
}

impl Loss {
    pub const NONE: Self = Self { kept_percent: 100, unit: usize::MAX };

    pub fn any(random: &mut Random) -> Self {
        let kept_percent = random.one_of(&[0, 10, 50, 90, 100]);
        Self { kept_percent, unit: random.one_of(&[SECTOR_BYTES, PAGE_BYTES, usize::MAX]) }
    }

    fn keeps(self, random: &mut Random) -> bool {
        random.below(100) < self.kept_percent
    }
}

impl<'a> Disk<'a> {
    pub fn take(&mut self, at: Position, change: &Change<'a>) {
        match *change {
            Change::Opened { handle, name, created } => {
                let file = match name {
                    "" => FOLDER,
                    _ if created => self.create(at, name),
                    _ => self.names[name],
                };
                self.handles.insert(handle, file);
            }
            Change::Written { handle, offset, data } => {
                self.edit(at, self.handles[&handle], Edit::Write { offset, data })
            }
            Change::Truncated { handle, size } => self.edit(at, self.handles[&handle], Edit::Truncate(size)),
            Change::Synced { handle, began } => self.sync(self.handles[&handle], began),
            Change::Unlinked { name } => {
                self.names.remove(name);
                self.edit(at, FOLDER, Edit::Unlink(name));
            }
            Change::Renamed { from, to } => {
                let file = self.names.remove(from).expect("a file with the old name");
                self.names.insert(to, file);
                self.edit(at, FOLDER, Edit::Rename { from, to, file });
            }
        }
    }

    fn create(&mut self, at: Position, name: &'a str) -> usize {
        self.last_file += 1;
        self.names.insert(name, self.last_file);
        self.edit(at, FOLDER, Edit::Link(name, self.last_file));
        self.last_file
    }

    fn edit(&mut self, at: Position, file: usize, edit: Edit<'a>) {
        self.unsynced.push(Unsynced { at, file, edit });
    }

    fn sync(&mut self, file: usize, began: Position) {
        let (now, later) = mem::take(&mut self.unsynced)
            .into_iter()
            .partition::<Vec<_>, _>(|change| change.file == file && change.at <= began);
        self.unsynced = later;
        now.iter().for_each(|change| self.synced.apply(change, |_| true, usize::MAX));
    }

    /// Files that a power cut leaves here.
    pub fn cut(&self, loss: Loss, random: &mut Random) -> Files {
        let mut state = self.synced.clone();
        for change in &self.unsynced {
            state.apply(change, |_| loss.keeps(random), loss.unit);
        }
        let content = |file| state.contents.get(file).cloned().unwrap_or_default();
        state.names.iter().map(|(name, file)| ((*name).to_owned(), content(file))).collect()
    }

    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }
}

impl<'a> State<'a> {
    /// Applies the kept parts of a change. A write has one part in each unit of the file, any other change is one part.
    fn apply(&mut self, change: &Unsynced<'a>, mut keeps: impl FnMut(usize) -> bool, unit: usize) {
        if let Edit::Write { offset, data } = change.edit {
            let content = self.contents.entry(change.file).or_default();
            let mut start = offset;
            while start < offset + data.len() {
                let end = (start / unit).saturating_add(1).saturating_mul(unit).min(offset + data.len());
                if keeps(start) {
                    content.resize(content.len().max(end), 0);
                    content[start..end].copy_from_slice(&data[start - offset..end - offset]);
                }
                start = end;
            }
            return;
        }
        if !keeps(0) {
            return;
        }
        match change.edit {
            Edit::Write { .. } => {}
            Edit::Truncate(size) => self.contents.entry(change.file).or_default().resize(size, 0),
            Edit::Link(name, file) => drop(self.names.insert(name, file)),
            Edit::Unlink(name) => drop(self.names.remove(name)),
            Edit::Rename { from, to, file } => {
                self.names.remove(from);
                self.names.insert(to, file);
            }
        }
    }
}

/// Writes files into a folder, for their owner alone.
pub fn write(files: &Files, folder: &Path) {
    for (name, content) in files {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(folder.join(name)).unwrap();
        file.write_all(content).unwrap();
    }
}

/// Numbers that a seed repeats. <https://prng.di.unimi.it/splitmix64.c>
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len().try_into().unwrap())).unwrap()]
    }
}
