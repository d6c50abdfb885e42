//! The background work that AWS does on its own: the stream reaches dispatch, the queue reaches deliver, a schedule
//! runs the sweep, time to live deletes items, and CloudWatch stores metrics.

use crate::{BoxError, functions::InProcess, history::MemoryHistory, queue::LocalQueue, stop::stop, tables};
use app::App;
use embedded::{Batch, Database, ExpiryPage, Follower, TableSpec};
use flow::{
    dead_letters::{DeadLetter, DeadLetters, SettingAside},
    deliver::Deliverer,
    dispatch::Dispatcher,
    due,
};
use models::{DeadLetterId, Timestamp, causes, clock::random};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use store::control::Controlled;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{self, Instant},
};

/// The same as in the template's event source.
const BATCH: usize = 100;
/// Time from one batch to the next, unless a batch was full: under a steady load, events share requests.
const BATCH_INTERVAL: Duration = Duration::from_millis(100);
/// Wait after each table.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(15);
/// Wait after each page, in times of its read, so that expiry takes half a percent of the time for reads. Deletions don't count:
/// they must keep up with the writes. DynamoDB may take days.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>
const EXPIRY_PAUSE: u32 = 199;
/// Functions that run as processes of their own have no queue: the sweep finds their deliveries.
const DUE_EVERY: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_millis(500);

pub struct Background([JoinHandle<()>; 5]);

impl Background {
    pub async fn start(app: &Arc<App>, database: &Database, stopped: watch::Receiver<bool>) -> Result<Self, BoxError> {
        let queue = Arc::new(LocalQueue::load(Arc::clone(&app.clock), database.clone()).await?);
        app.set_queue(Arc::clone(&queue) as _);
        let functions = InProcess(Arc::downgrade(app));
        app.set_functions(Arc::new(functions.clone()));
        let deliverer = Deliverer::new(app, Box::new(functions))?;
        let history = Arc::new(MemoryHistory::default());
        app.set_history(Arc::clone(&history) as _);
        let follower = database.follow(&app.config.tables.events, BATCH)?;
        Ok(Self([
            tokio::spawn(follow(Arc::clone(app), follower, stopped.clone())),
            tokio::spawn(queue.serve(Arc::clone(app), Arc::new(deliverer), stopped.clone())),
            tokio::spawn(send_due(Arc::clone(app), stopped.clone())),
            tokio::spawn(delete_expired(database.clone(), tables::specs(&app.config.tables), stopped.clone())),
            tokio::spawn(history.keep(Arc::clone(app), stopped)),
        ]))
    }

    /// Waits for running work to end.
    pub async fn finish(self) {
        for task in self.0 {
            if let Err(error) = task.await {
                tracing::error!(cause = causes(&error), "a background task panicked");
            }
        }
    }
}

async fn follow(app: Arc<App>, mut follower: Follower, mut stopped: watch::Receiver<bool>) {
    let dispatcher = Dispatcher::new(Arc::new(StoredDeadLetters(Arc::clone(&app))));
    while !*stopped.borrow() {
        let Some(batch) = follower.next_unless(stop(&mut stopped)).await.transpose() else { return };
        let read_at = Instant::now();
        let handled = match batch {
            Ok(batch) => handle(&app, &dispatcher, &follower, batch).await,
            Err(error) => Err(error),
        };
        let next_at = match handled {
            Ok(BATCH) => continue,
            Ok(_) => read_at + BATCH_INTERVAL,
            Err(error) => {
                tracing::error!(cause = causes(&error), "the stream can't be read; retrying");
                Instant::now() + RETRY_AFTER
            }
        };
        tokio::select! {
            () = time::sleep_until(next_at) => {}
            () = stop(&mut stopped) => return,
        }
    }
}

/// Handles a batch until each record is handled or set aside. Until then the records stay in the stream. Returns their
/// number.
async fn handle(
    app: &App,
    dispatcher: &Dispatcher,
    follower: &Follower,
    batch: Batch,
) -> Result<usize, embedded::Error> {
    while !dispatcher.dispatch(app, batch.records.clone()).await.is_empty() {
        time::sleep(RETRY_AFTER).await;
    }
    follower.done(&batch.position).await?;
    Ok(batch.records.len())
}

async fn send_due(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut timer = time::interval(DUE_EVERY);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = stop(&mut stopped) => return,
        }
        if let Err(problem) = due::sweep(&app).await {
            tracing::error!(cause = problem.causes(), "due deliveries were not sent; the next sweep retries them");
        }
    }
}

/// Deletes expired items, page by page.
async fn delete_expired(database: Database, tables: [TableSpec; 4], mut stopped: watch::Receiver<bool>) {
    for table in tables.iter().cycle() {
        let mut start = None;
        loop {
            let page = database.delete_expired(table, start).await.unwrap_or_else(|error| {
                tracing::error!(table = table.name, cause = causes(&error), "expired items can't be deleted");
                ExpiryPage::default()
            });
            start = page.next;
            let pause = if start.is_some() { page.read_in * EXPIRY_PAUSE } else { EXPIRY_INTERVAL };
            tokio::select! {
                () = time::sleep(pause) => {}
                () = stop(&mut stopped) => return,
            }
            if start.is_none() {
                break;
            }
        }
    }
}

/// Dead letters in the control table.
struct StoredDeadLetters(Arc<App>);

#[derive(Serialize, Deserialize)]
struct StoredDeadLetter {
    id: DeadLetterId,
    version: u64,
    at: Timestamp,
    event: String,
    reason: String,
}

impl Controlled for StoredDeadLetter {
    const KIND: &'static str = "dead_letter";
    type Id = DeadLetterId;

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

impl DeadLetters for StoredDeadLetters {
    fn set_aside(&self, letter: DeadLetter) -> SettingAside<'_> {
        Box::pin(async move {
            let at = self.0.now();
            let id = DeadLetterId::new(at, random()?);
            let kept = StoredDeadLetter { id, version: 1, at, event: letter.event, reason: letter.reason };
            Ok(self.0.store.create(&kept).await?)
        })
    }
}
