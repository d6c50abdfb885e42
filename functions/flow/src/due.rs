//! Sweep of due deliveries, run every minute. It sends messages for deliveries that waited longer than the queue can
//! delay them, and for those whose message was lost.

use crate::{QueueUnavailable, pending::LOST_AFTER_SECONDS};
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
use web::{Problem, settings::SettingError};

/// Look-ahead of a sweep: the time until the next one.
const AHEAD_SECONDS: u64 = 60;
const BATCH: usize = 50;
/// Time limit of a sweep, shorter than the function's timeout.
const TIME: Duration = Duration::from_secs(45);

/// Sends messages for due deliveries. Returns their number.
pub async fn sweep(app: &App) -> Result<usize, Problem> {
    let deadline = Instant::now() + TIME;
    // All shards run concurrently, so that no shard waits for another.
    let swept = join_all((0..SHARDS).map(|shard| sweep_shard(app, shard, deadline))).await;
    swept.into_iter().sum()
}

async fn sweep_shard(app: &App, shard: usize, deadline: Instant) -> Result<usize, Problem> {
    let until = app.now().plus_seconds(AHEAD_SECONDS);
    // Pages are read to the end, because the index may still list deliveries that were moved on.
    let (mut sent, mut start) = (0, None);
    loop {
        let (due, next) = app.store.due(shard, until, BATCH, start).await?;
        let messages: Vec<Message> = due.iter().filter_map(message).collect();
        if let Some(queue) = app.queue().filter(|_| !messages.is_empty()) {
            queue.send(messages).await.map_err(QueueUnavailable)?;
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

/// Moves on the delivery's entry in the index, because its message is on its way. On a conflict, the other writer has
/// done so.
async fn move_on(app: &App, entry: &Entry) -> Result<(), StoreError> {
    let now = app.now();
    let from = due_at(entry).unwrap_or(now).max(now);
    match app.store.postpone_check(entry, from.plus_seconds(LOST_AFTER_SECONDS)).await {
        Err(StoreError::Condition(_)) => Ok(()),
        moved => moved,
    }
}

/// Serves the sweep until Lambda ends the process.
pub fn serve() -> Result<(), Error> {
    block_on(async {
        let app = start(&sdk_config()?, &[])?;
        app.queue().ok_or_else(|| SettingError::unset("DELIVERY_QUEUE_URL"))?;
        let app = &app;
        run(app, move |event: LambdaEvent<Value>| async move {
            let request_id = event.context.request_id;
            match sweep(app).await {
                Ok(sent) => {
                    tracing::info!(request_id, sent, "swept");
                    Ok(json!({ "sent": sent }))
                }
                Err(problem) => {
                    tracing::error!(
                        request_id,
                        cause = problem.causes(),
                        "due deliveries were not sent; the next sweep retries them"
                    );
                    Err(Error::from(problem.detail))
                }
            }
        })
        .await
    })
}
