//! How a delivery that waits is found again: by its message in the queue, or else in the table, where what is pending is
//! listed by when it is to be looked for. Only a first attempt whose message is in a queue that keeps it is not in the table,
//! so that what succeeds at once is written once; it is stored as soon as its message can't be sent or fails.

use crate::Unsent;
use app::App;
use aws::queue::{MOST_DELAY_SECONDS, Queue};
use models::{
    StoredDelivery, Timestamp,
    delivery::{Message, When},
};
use store::StoreError;

/// How long after its time a message counts as lost.
pub const LOST_AFTER_SECONDS: u64 = 3_600;

/// A wait until an instant. What waits longer than the queue keeps messages back is parked: it is looked for at its time.
pub fn until(app: &App, next_attempt_at: Timestamp) -> When {
    let queued = app.queue().is_some() && next_attempt_at.millis_since(app.now()) <= MOST_DELAY_SECONDS * 1000;
    let due_at = if queued { next_attempt_at.plus_seconds(LOST_AFTER_SECONDS) } else { next_attempt_at };
    When { due_at, ..parked(app, next_attempt_at) }
}

/// A wait for which there is no message.
pub fn parked(app: &App, next_attempt_at: Timestamp) -> When {
    let expires = next_attempt_at.plus_seconds(app.config.delivery_ttl_days * 86_400);
    When { next_attempt_at, due_at: next_attempt_at, expires }
}

/// Whether the queue keeps what it is sent, so that first attempts need not be in the table.
pub fn is_kept(app: &App) -> bool {
    app.queue().is_some_and(Queue::keeps)
}

/// Sends deliveries to the queue that wait, save those that are parked.
pub async fn send(app: &App, deliveries: &[StoredDelivery]) -> Result<(), Unsent> {
    let message = |delivery: &StoredDelivery| {
        let at = delivery.next_attempt_at.filter(|_| !delivery.is_parked())?;
        let is_first = delivery.version == 0;
        Some(Message { delivery: delivery.id.clone(), route: delivery.route.clone(), at, is_first })
    };
    let messages: Vec<Message> = deliveries.iter().filter_map(message).collect();
    match app.queue() {
        Some(queue) if !messages.is_empty() => queue.send(messages).await.map_err(Unsent),
        _ => Ok(()),
    }
}

/// The same of what is in the table, where nothing sends it again if it fails: then it is found there within the hour.
pub async fn send_or_leave(app: &App, deliveries: &[StoredDelivery]) {
    if let Err(Unsent(cause)) = send(app, deliveries).await {
        tracing::error!(count = deliveries.len(), cause = cause.to_string(), "deliveries were stored and not sent");
    }
}

/// Stores new deliveries, save those that are there already, and sends all to the queue: of those that were stored before,
/// the messages may be missing. Answers for each whether it was stored now.
pub async fn store_and_send(app: &App, deliveries: &mut [StoredDelivery]) -> Result<Vec<bool>, StoreError> {
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    let stored = app.store.create_deliveries(deliveries, app.now()).await?;
    send_or_leave(app, deliveries).await;
    Ok(stored)
}

/// Begins new deliveries: leaves them to a queue that keeps them. If they can't be sent they are stored, and looked for at
/// once.
pub async fn begin(app: &App, deliveries: &mut [StoredDelivery]) -> Result<(), StoreError> {
    if !is_kept(app) {
        store_and_send(app, deliveries).await?;
        return Ok(());
    }
    if let Err(Unsent(cause)) = send(app, deliveries).await {
        tracing::error!(
            count = deliveries.len(),
            cause = cause.to_string(),
            "deliveries were not sent, and are stored"
        );
        for delivery in &mut *deliveries {
            delivery.wait(parked(app, app.now()));
        }
        app.store.create_deliveries(deliveries, app.now()).await?;
    }
    Ok(())
}
