//! A thread that runs the jobs of one connection, one after another.
//!
//! SQLite runs one operation at a time on a connection. If each caller's thread waits for its turn, the connection is idle
//! from the end of one operation until the next thread has woken up: on two busy processors, a quarter of the time.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use tokio::sync::oneshot;

use crate::Error;

type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct Worker(Sender<Job>);

impl Worker {
    /// Starts the thread. It ends after the last job once the worker is dropped.
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let (sender, jobs) = channel::<Job>();
        thread::Builder::new().name(name.to_owned()).spawn(move || jobs.into_iter().for_each(|job| job()))?;
        Ok(Self(sender))
    }

    /// Queues a job, and waits for its result. A queued job runs even if its caller stops waiting.
    pub(crate) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let (sender, result) = oneshot::channel();
        // The job and what it holds are gone when the caller has its result.
        let queued = self.0.send(Box::new(move || {
            if let Ok(result) = catch_unwind(AssertUnwindSafe(job)) {
                let _ = sender.send(result);
            }
        }));
        queued.map_err(|_| Error::Panic)?;
        result.await.map_err(|_| Error::Panic)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn jobs_run_in_order_and_also_if_their_callers_are_gone() {
        let worker = Worker::start("test").unwrap();
        let (sender, done) = channel();
        for number in 0..100 {
            let sender = sender.clone();
            let _ = timeout(Duration::ZERO, worker.run(move || sender.send(number).unwrap())).await;
        }
        worker.run(|| ()).await.unwrap();
        assert_eq!(done.try_iter().collect::<Vec<_>>(), Vec::from_iter(0..100));
    }

    #[tokio::test]
    async fn a_panic_fails_its_caller_alone() {
        let worker = Worker::start("test").unwrap();
        let panicked: Result<(), Error> = worker.run(|| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(Error::Panic)), "{panicked:?}");
        assert_eq!(worker.run(|| 1).await.unwrap(), 1);
    }
}
