//! What Lambda and DynamoDB do by themselves on AWS: the stream brings events to dispatch, and time to live deletes.

use crate::Failure;
use embedded::{Batch, Database, Follower};
use flow::{
    dead_letters::{DeadLetter, DeadLetters, SettingAside},
    dispatch::dispatch,
};
use models::{DeadLetterId, Timestamp};
use runtime::{App, clock::random, store::control::Controlled};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time};

/// As the template's event source.
const BATCH: usize = 100;
const SWEEP_EVERY: Duration = Duration::from_secs(60);
const RETRY_AFTER: Duration = Duration::from_millis(500);

pub struct Background {
    following: JoinHandle<()>,
    sweeping: JoinHandle<()>,
}

impl Background {
    pub fn start(app: &Arc<App>, database: &Database, stopped: watch::Receiver<bool>) -> Result<Self, Failure> {
        let follower = database.follow(&app.config.tables.events, BATCH)?;
        let following = tokio::spawn(follow(Arc::clone(app), follower, stopped.clone()));
        let sweeping = tokio::spawn(sweep(database.clone(), stopped));
        Ok(Self { following, sweeping })
    }

    /// Waits for the batch in hand.
    pub async fn finish(self) {
        for task in [self.following, self.sweeping] {
            if let Err(error) = task.await {
                tracing::error!(cause = error.to_string(), "a background task died");
            }
        }
    }
}

async fn stop(stopped: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, which is a stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn follow(app: Arc<App>, mut follower: Follower, mut stopped: watch::Receiver<bool>) {
    let letters = KeptLetters(Arc::clone(&app));
    loop {
        let next = tokio::select! {
            next = follower.next() => next,
            () = stop(&mut stopped) => return,
        };
        let handled = match next {
            Ok(batch) => handle(&app, &letters, &follower, batch).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = handled {
            tracing::error!(cause = error.to_string(), "the stream can't be followed; trying again");
            tokio::select! {
                () = time::sleep(RETRY_AFTER) => {}
                () = stop(&mut stopped) => return,
            }
        }
    }
}

/// Handles a batch until each of its records is handled or set aside. The records stay in the stream until then.
async fn handle(app: &App, letters: &KeptLetters, follower: &Follower, batch: Batch) -> Result<(), Failure> {
    while !dispatch(app, letters, batch.records.clone()).await.is_empty() {
        time::sleep(RETRY_AFTER).await;
    }
    Ok(follower.done(&batch.position).await?)
}

async fn sweep(database: Database, mut stopped: watch::Receiver<bool>) {
    let mut timer = time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = stop(&mut stopped) => return,
        }
        let database = database.clone();
        let swept = tokio::task::spawn_blocking(move || database.sweep_expired()).await;
        if let Ok(Err(error)) = swept {
            tracing::error!(cause = error.to_string(), "what has expired can't be deleted");
        }
    }
}

/// Dead letters, in the control table.
struct KeptLetters(Arc<App>);

#[derive(Serialize, Deserialize)]
struct KeptLetter {
    id: DeadLetterId,
    version: u64,
    at: Timestamp,
    event: String,
    reason: String,
}

impl Controlled for KeptLetter {
    const KIND: &'static str = "dead_letter";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }
}

impl DeadLetters for KeptLetters {
    fn set_aside(&self, letter: DeadLetter) -> SettingAside<'_> {
        Box::pin(async move {
            let at = self.0.now();
            let id = DeadLetterId::new(at, random()?);
            let kept = KeptLetter { id, version: 1, at, event: letter.event, reason: letter.reason };
            Ok(self.0.store.create(&kept).await?)
        })
    }
}
