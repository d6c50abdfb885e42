//! `local` or another binary in a process of its own, as `make run` starts it.

use crate::Api;
use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(30);

/// Running process, killed on drop.
pub struct Process {
    child: Child,
    stderr: Receiver<String>,
    said: Vec<String>,
}

impl Process {
    /// Starts `local` with only these settings, in a folder to which it may write.
    pub fn spawn(folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::spawn_binary(&binary("local"), folder, settings)
    }

    /// Starts another binary with only these settings.
    pub fn spawn_binary(binary: &Path, folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::spawn_with(binary, &[], folder, settings)
    }

    /// Starts any program with only these settings.
    pub fn spawn_with(program: &Path, arguments: &[&OsStr], folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::start_command(command, folder, settings)
    }

    /// Starts another binary, with its standard output in a file.
    pub fn spawn_into(output: File, binary: &Path, folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary);
        command.stdout(output);
        Self::start_command(command, folder, settings)
    }

    fn start_command(mut command: Command, folder: &Path, settings: &[(&str, &str)]) -> Self {
        command.env_clear().envs(settings.iter().copied()).env("TMPDIR", folder).current_dir(folder);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (sender, stderr) = channel();
        let pipe = BufReader::new(child.stderr.take().expect("its standard error"));
        thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, stderr, said: Vec::new() }
    }

    /// Starts `local` on this data folder and a free port, and waits until it serves. Returns its URL as well.
    pub fn start(data_dir: &Path) -> (Self, String) {
        Self::start_with(data_dir, &[])
    }

    /// Starts `local` as `start` does, with additional settings.
    pub fn start_with(data_dir: &Path, settings: &[(&str, &str)]) -> (Self, String) {
        let data = data_dir.to_str().expect("a path in UTF-8");
        let settings = [&[("PORT", "0"), ("DATA_DIR", data)], settings].concat();
        let mut process = Self::spawn(data_dir.parent().expect("a parent"), &settings);
        let url = process.listening();
        (process, url)
    }

    /// Waits until it serves, and returns its URL.
    pub fn listening(&mut self) -> String {
        let line = self.wait_for("listening on ");
        line.trim_start_matches("listening on ").to_owned()
    }

    /// Waits for a line of standard error with this beginning.
    pub fn wait_for(&mut self, beginning: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.starts_with(beginning) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {beginning:?} within {DEADLINE:?}: {:#?}", self.said),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {beginning:?}: {:#?}", self.said),
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `INT`, `KILL`.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &self.id().to_string()]);
        assert!(kill.status().expect("a shell").success(), "SIG{name} can't be sent");
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Waits until the process exits. Returns its status and all of its standard error.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it did not end within {DEADLINE:?}: {:#?}", self.said);
            thread::sleep(Duration::from_millis(10));
        };
        self.said.extend(self.stderr.iter());
        (status, self.said.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Api {
    /// Client with the admin key from the data folder.
    pub fn of(url: &str, data_dir: &Path) -> Self {
        let key = std::fs::read_to_string(data_dir.join("admin-key")).expect("the admin key");
        Self::new(url, key.trim())
    }
}

/// Path of another package's binary. Cargo puts it into the folder above that of the test.
pub fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    let binary = test.ancestors().nth(2).expect("cargo's folder").join(name);
    assert!(binary.is_file(), "{} is missing: run `make test`, which builds it first", binary.display());
    binary
}
