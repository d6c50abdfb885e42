//! A function as a process, run as by Lambda, optionally under callgrind.

use crate::{BoxError, proc};
use serde_json::Value;
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::NamedTempFile;
use tests::lambda::{Outcome, RuntimeApi};

pub struct Function {
    child: Child,
    api: RuntimeApi,
    started: Instant,
    /// Its standard output, which Lambda uses as the log.
    log: NamedTempFile,
}

/// Bytes that CloudWatch adds to a log line.
pub const BYTES_OF_A_LINE: usize = 26;

/// Environment of a function's process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profiler {
    Nothing,
    /// Counts instructions.
    Callgrind,
}

impl Function {
    /// Starts a binary with only these settings.
    pub async fn start(binary: &Path, settings: &[(String, String)], under: Profiler) -> Result<Self, BoxError> {
        if !binary.is_file() {
            return Err(format!("{} is missing: `make bench` builds it", binary.display()).into());
        }
        let api = RuntimeApi::start().await;
        let mut command = match under {
            Profiler::Nothing => Command::new(binary),
            Profiler::Callgrind => {
                let mut command = Command::new("valgrind");
                command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(binary);
                command
            }
        };
        let log = NamedTempFile::new()?;
        let path = std::env::var("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).envs(settings.iter().map(|(name, value)| (name, value)));
        command.env("AWS_LAMBDA_RUNTIME_API", &api.address);
        let name = binary.parent().and_then(Path::file_name).unwrap_or_default();
        command.env("AWS_LAMBDA_FUNCTION_NAME", name);
        command.stdin(Stdio::null()).stdout(log.reopen()?).stderr(Stdio::piped());
        let started = Instant::now();
        Ok(Self { child: command.spawn()?, api, started, log })
    }

    /// Waits until the function asks for its first invocation. Returns the time since its start.
    pub async fn polled(&self) -> Duration {
        self.api.polled().await;
        self.started.elapsed()
    }

    pub async fn invoke(&mut self, event: &Value) -> Result<Value, BoxError> {
        match self.api.invoke(event.to_string()).await {
            Outcome::Answered(answer) => Ok(answer),
            Outcome::Failed { error_type, problem } => Err(format!("{error_type}: {problem}").into()),
        }
    }

    pub fn since_start(&self) -> Duration {
        self.started.elapsed()
    }

    /// CPU time of its threads so far.
    pub fn cpu(&self) -> Result<Duration, BoxError> {
        let mut nanos = 0;
        for task in fs::read_dir(self.proc("task"))? {
            let stat = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += stat.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Bytes that it has logged so far, as CloudWatch counts them:
    /// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>.
    pub fn log_bytes(&self) -> Result<u64, BoxError> {
        let log = fs::read(self.log.path())?;
        let lines = log.iter().filter(|byte| **byte == b'\n').count();
        Ok((log.len() + lines * BYTES_OF_A_LINE) as u64)
    }

    /// Its peak memory, in MiB.
    pub fn peak_mib(&self) -> Result<f64, BoxError> {
        proc::peak_mib(self.child.id())
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// Stops it. Returns the instructions counted by callgrind.
    pub fn instructions(mut self) -> Result<f64, BoxError> {
        Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status()?;
        let mut output = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_string(&mut output)?;
        }
        self.child.wait()?;
        let collected = output.lines().find_map(|line| line.split("Collected :").nth(1));
        collected.and_then(|count| count.trim().parse().ok()).ok_or_else(|| format!("valgrind: {output}").into())
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
