//! Finds the deliveries whose time has come, and sends them to the queue: what waited longer than a queue keeps messages
//! back, and what had its message lost. Run every minute.

use crate::{Unsent, pending::LOST_AFTER_SECONDS};
use app::{
    App,
    lambda::{block_on, run, sdk_config, start},
};
use futures::future::{join_all, try_join_all};
use lambda_runtime::{Error, LambdaEvent};
use models::{
    Timestamp,
    delivery::{DeliveryKey, Message},
    ids::SHARDS,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use store::{StoreError, list::Entry};
use web::{Problem, settings::BadSetting};

/// How far ahead it looks: as long as until it is run again.
const AHEAD_SECONDS: u64 = 60;
const BATCH: usize = 50;
/// Within the function's time.
const TIME: Duration = Duration::from_secs(45);

/// Sends what is due; how many that were.
pub async fn sweep(app: &App) -> Result<usize, Problem> {
    let deadline = Instant::now() + TIME;
    // All shards at once, so that none waits for another's end.
    let swept = join_all((0..SHARDS).map(|shard| sweep_shard(app, shard, deadline))).await;
    swept.into_iter().sum()
}

async fn sweep_shard(app: &App, shard: usize, deadline: Instant) -> Result<usize, Problem> {
    let until = app.now().plus_seconds(AHEAD_SECONDS);
    // Page by page to the end, as the index may still show what has been moved on.
    let (mut sent, mut start) = (0, None);
    loop {
        let (due, next) = app.store.due(shard, until, BATCH, start).await?;
        let messages: Vec<Message> = due.iter().filter_map(message).collect();
        if let Some(queue) = app.queue().filter(|_| !messages.is_empty()) {
            queue.send(messages).await.map_err(Unsent)?;
        }
        try_join_all(due.iter().map(|entry| move_on(app, entry))).await?;
        sent += due.len();
        if next.is_none() || Instant::now() >= deadline {
            return Ok(sent);
        }
        start = next;
    }
}

fn message(entry: &Entry) -> Option<Message> {
    let key = DeliveryKey::parse(&entry.sort)?;
    Some(Message { delivery: key.id, route: key.route, at: due_at(entry)?, is_first: false })
}

fn due_at(entry: &Entry) -> Option<Timestamp> {
    Timestamp::parse(entry.sort.split(' ').next()?)
}

/// Now that a message is on its way, the delivery is looked for later. Whoever has changed it meanwhile has seen to that.
async fn move_on(app: &App, entry: &Entry) -> Result<(), StoreError> {
    let now = app.now();
    let from = due_at(entry).unwrap_or(now).max(now);
    match app.store.look_later(entry, from.plus_seconds(LOST_AFTER_SECONDS)).await {
        Err(StoreError::Condition(_)) => Ok(()),
        moved => moved,
    }
}

/// Serves the sweep until Lambda ends the process.
pub fn serve() -> Result<(), Error> {
    block_on(async {
        let app = start(&sdk_config()?, &[])?;
        app.queue().ok_or_else(|| BadSetting::unset("DELIVERY_QUEUE_URL"))?;
        let app = &app;
        run(app, move |event: LambdaEvent<Value>| async move {
            let request_id = event.context.request_id;
            match sweep(app).await {
                Ok(sent) => {
                    tracing::info!(request_id, sent, "swept");
                    Ok(json!({ "sent": sent }))
                }
                Err(problem) => {
                    tracing::error!(request_id, cause = problem.causes(), "what is due was not sent");
                    Err(Error::from(problem.detail))
                }
            }
        })
        .await
    })
}
