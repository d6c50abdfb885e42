//! How a delivery that waits is found again: by its message in the queue, or else in the table, where what waits is listed
//! by when it is to be looked for. Only a first attempt whose message is in a queue that keeps it is not listed, so that
//! what succeeds at once costs no index anything; it is listed as soon as its message can't be sent or fails.

use crate::Unsent;
use futures::future::try_join_all;
use models::{StoredDelivery, Timestamp, delivery::When};
use runtime::{
    App,
    queue::{MOST_DELAY_SECONDS, Message},
    store::StoreError,
};

/// How long after its time a message counts as lost.
pub const LOST_AFTER_SECONDS: u64 = 3_600;

/// A wait until an instant. What waits longer than the queue keeps messages back is parked: it is looked for at its time.
pub fn until(app: &App, next_attempt_at: Timestamp) -> When {
    let queued = app.queue().is_some() && next_attempt_at.millis_since(app.now()) <= MOST_DELAY_SECONDS * 1000;
    When {
        next_attempt_at,
        due_at: Some(if queued { next_attempt_at.plus_seconds(LOST_AFTER_SECONDS) } else { next_attempt_at }),
        expires: next_attempt_at.plus_seconds(app.config.delivery_ttl_days * 86_400),
    }
}

/// A first attempt now, of a delivery whose message is sent again if what makes it dies before.
pub fn first(app: &App) -> When {
    let when = until(app, app.now());
    let keeps = app.queue().is_some_and(runtime::queue::Queue::keeps);
    When { due_at: when.due_at.filter(|_| !keeps), ..when }
}

/// Sends deliveries to the queue that were stored as waiting, save those that are parked.
pub async fn send(app: &App, deliveries: &[StoredDelivery]) -> Result<(), Unsent> {
    let message = |delivery: &StoredDelivery| {
        let at = delivery.next_attempt_at.filter(|_| !delivery.is_parked())?;
        Some(Message { delivery: delivery.id.clone(), route: delivery.route.clone(), at })
    };
    let messages: Vec<Message> = deliveries.iter().filter_map(message).collect();
    match app.queue() {
        Some(queue) if !messages.is_empty() => queue.send(messages).await.map_err(Unsent),
        _ => Ok(()),
    }
}

/// The same, where nothing sends them again if it fails: then they are found in the table, within the hour, and those at
/// once that it did not list. An error says that they may be found nowhere.
pub async fn send_or_leave(app: &App, deliveries: &[StoredDelivery]) -> Result<(), StoreError> {
    let Err(Unsent(cause)) = send(app, deliveries).await else { return Ok(()) };
    tracing::error!(count = deliveries.len(), cause = cause.to_string(), "deliveries were stored and not sent");
    let now = app.now();
    let unlisted = deliveries.iter().filter(|delivery| !delivery.is_looked_for());
    try_join_all(unlisted.map(|delivery| async move { app.store.look_for(&delivery.key(), now).await })).await?;
    Ok(())
}
