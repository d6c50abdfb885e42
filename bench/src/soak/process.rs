//! The process under load: killed, started again on the same folder and port, and measured.

use super::memory::Sample;
use crate::{
    BoxError, proc,
    receiver::RETRY_SECONDS,
    setup::{path, spawn_local},
};
use embedded::DATABASE_FILE;
use std::{env, fs, path::Path, time::Duration};
use tempfile::TempDir;
use tests::Process;
use tokio::task::block_in_place;

pub struct Supervised {
    pub url: String,
    folder: TempDir,
    /// None while it is started again.
    process: Option<Process>,
    kills: usize,
    samples: Vec<Sample>,
    /// The most memory of the processes before this one.
    peak_mib: f64,
}

impl Supervised {
    pub fn start() -> Result<Self, BoxError> {
        let folder = TempDir::new()?;
        let (process, url) = spawn(folder.path(), "0")?;
        Ok(Self { url, folder, process: Some(process), kills: 0, samples: Vec::new(), peak_mib: 0.0 })
    }

    /// Kills the process, and starts another in its place.
    pub fn restart(&mut self) -> Result<(), BoxError> {
        self.peak_mib = self.peak_mib()?;
        // Sends SIGKILL and waits for the end, because the process holds the folder's lock.
        drop(self.process.take());
        self.kills += 1;
        let port = self.url.rsplit(':').next().unwrap_or_default();
        let (process, _) = spawn(self.folder.path(), port)?;
        self.process = Some(process);
        Ok(())
    }

    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            process.signal(name);
        }
    }

    /// Stops the process, which merges SQLite's log into the database. Returns the folder.
    pub fn stop(self) -> TempDir {
        if let Some(process) = self.process {
            process.signal("TERM");
            block_in_place(|| process.ended());
        }
        self.folder
    }

    pub fn sample(&mut self, at: Duration) -> Result<(), BoxError> {
        self.samples.push(Sample { at, process: self.kills, mib: self.resident_mib()? });
        Ok(())
    }

    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    pub const fn kills(&self) -> usize {
        self.kills
    }

    pub fn resident_mib(&self) -> Result<f64, BoxError> {
        proc::resident_mib(self.id()?).map_err(|error| format!("`local` ended by itself: {error}").into())
    }

    /// The most resident memory of all processes.
    pub fn peak_mib(&self) -> Result<f64, BoxError> {
        Ok(proc::peak_mib(self.id()?)?.max(self.peak_mib))
    }

    /// Bytes of the database and of its log.
    pub fn database_bytes(&self) -> Result<u64, BoxError> {
        let mut bytes = 0;
        for entry in fs::read_dir(data(self.folder.path()))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(DATABASE_FILE) {
                bytes += entry.metadata()?.len();
            }
        }
        Ok(bytes)
    }

    fn id(&self) -> Result<u32, BoxError> {
        self.process.as_ref().map(Process::id).ok_or_else(|| "`local` is not running".into())
    }
}

/// The data folder of `local`.
pub fn data(folder: &Path) -> std::path::PathBuf {
    folder.join("data")
}

/// Starts `local` as `make run` does, and waits until it serves. Returns its URL as well.
fn spawn(folder: &Path, port: &str) -> Result<(Process, String), BoxError> {
    let (data, waits) = (data(folder), RETRY_SECONDS.join(","));
    let settings = [
        ("PORT", port),
        ("DATA_DIR", path(&data)?),
        ("DELIVERY_ALLOW_CIDRS", "127.0.0.0/8"),
        ("RETRY_SCHEDULE", &waits),
    ];
    let mut process = spawn_local(&env::current_exe()?.with_file_name("local"), folder, &settings);
    let url = block_in_place(|| process.listening());
    Ok((process, url))
}
