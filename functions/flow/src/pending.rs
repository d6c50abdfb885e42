//! Pending deliveries. Each is found again by its message in the queue, or else by its entry in the index of due
//! deliveries. A first attempt with a message is not stored, so that a delivery that succeeds immediately is written
//! once. It is stored as soon as its message can't be sent or fails.

use crate::QueueUnavailable;
use app::App;
use aws::queue::MAX_DELAY_SECONDS;
use models::{
    StoredDelivery, Timestamp,
    delivery::{DeliveryTimes, Message},
};
use store::StoreError;

/// Seconds after its time at which a message counts as lost.
pub const LOST_AFTER_SECONDS: u64 = 3_600;

/// The times of a wait. A wait longer than the queue's maximum delay is left to the sweep.
pub fn with_message(app: &App, next_attempt_at: Timestamp) -> DeliveryTimes {
    let queued = app.queue().is_some() && next_attempt_at.millis_since(app.now()) <= MAX_DELAY_SECONDS * 1000;
    let due_at = if queued { next_attempt_at.plus_seconds(LOST_AFTER_SECONDS) } else { next_attempt_at };
    DeliveryTimes { due_at, ..without_message(app, next_attempt_at) }
}

/// The times of a wait without a message.
pub fn without_message(app: &App, next_attempt_at: Timestamp) -> DeliveryTimes {
    let expires = next_attempt_at.plus_seconds(app.config.delivery_ttl_days * 86_400);
    DeliveryTimes { next_attempt_at, due_at: next_attempt_at, expires }
}

/// Sends messages for pending deliveries, except for those left to the sweep.
pub async fn send(app: &App, deliveries: impl IntoIterator<Item = &StoredDelivery>) -> Result<(), QueueUnavailable> {
    let message = |delivery: &StoredDelivery| {
        let at = delivery.next_attempt_at.filter(|_| !delivery.is_left_to_sweep())?;
        let is_first = delivery.version == 0;
        Some(Message { delivery: delivery.id.clone(), route: delivery.route.clone(), at, is_first })
    };
    let messages: Vec<Message> = deliveries.into_iter().filter_map(message).collect();
    match app.queue() {
        Some(queue) if !messages.is_empty() => queue.send(messages).await.map_err(QueueUnavailable),
        _ => Ok(()),
    }
}

/// Sends messages for stored deliveries. On a failure, the sweep finds them within an hour.
pub async fn send_or_leave(app: &App, deliveries: &[StoredDelivery]) {
    if let Err(QueueUnavailable(cause)) = send(app, deliveries).await {
        tracing::error!(
            count = deliveries.len(),
            cause = cause.to_string(),
            "deliveries were stored but not sent; the sweep sends them within an hour"
        );
    }
}

/// Stores new deliveries and sends messages for all. Existing ones are not stored again, but their messages may be
/// missing. Returns for each whether it was stored now.
pub async fn store_and_send(app: &App, deliveries: &mut [StoredDelivery]) -> Result<Vec<bool>, StoreError> {
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    let stored = app.store.create_deliveries(deliveries, app.now()).await?;
    send_or_leave(app, deliveries).await;
    Ok(stored)
}

/// Starts new deliveries: the queue gets their messages alone. Without a queue, or if sending fails, they are stored for
/// the sweep.
pub async fn start(app: &App, deliveries: &mut [StoredDelivery]) -> Result<(), StoreError> {
    if app.queue().is_none() {
        store_and_send(app, deliveries).await?;
        return Ok(());
    }
    if let Err(QueueUnavailable(cause)) = send(app, &*deliveries).await {
        tracing::error!(
            count = deliveries.len(),
            cause = cause.to_string(),
            "deliveries were not sent; they are stored for the next sweep"
        );
        for delivery in &mut *deliveries {
            delivery.set_pending(without_message(app, app.now()));
        }
        app.store.create_deliveries(deliveries, app.now()).await?;
    }
    Ok(())
}
