//! The log and the files of a bundle, for tests of what must stand in neither.

use std::{
    cell::Cell,
    fs, io,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};
use tracing_subscriber::fmt::MakeWriter;

thread_local! {
    /// True on the thread whose log is kept, because other tests may run on other threads.
    static KEPT: Cell<bool> = const { Cell::new(false) };
}

/// Keeps what is logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// From now on what this thread logs is kept.
    pub fn start() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        KEPT.set(true);
        let start = || {
            let log = Self::default();
            tracing_subscriber::fmt().json().with_writer(log.clone()).init();
            log
        };
        LOG.get_or_init(start).clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if KEPT.get() { self.0.lock().unwrap().write(bytes) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every file of the folder, its text as far as it has any.
pub fn contents(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect()
}
