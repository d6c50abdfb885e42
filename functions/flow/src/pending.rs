//! How a delivery that waits is found again: by its message in the queue, or else in the table, where every pending
//! delivery is listed by when it is to be looked for.

use crate::Unsent;
use models::{StoredDelivery, Timestamp, delivery::When};
use runtime::{
    App,
    queue::{MOST_DELAY_SECONDS, Message},
};

/// How long after its time a message counts as lost.
pub const LOST_AFTER_SECONDS: u64 = 3_600;

/// A wait until an instant. What waits longer than the queue keeps messages back is parked: it is looked for at its time.
pub fn until(app: &App, next_attempt_at: Timestamp) -> When {
    let queued = app.queue().is_some() && next_attempt_at.millis_since(app.now()) <= MOST_DELAY_SECONDS * 1000;
    When {
        next_attempt_at,
        due_at: if queued { next_attempt_at.plus_seconds(LOST_AFTER_SECONDS) } else { next_attempt_at },
        expires: next_attempt_at.plus_seconds(app.config.delivery_ttl_days * 86_400),
    }
}

/// Sends deliveries to the queue that were stored as waiting, save those that are parked.
pub async fn send(app: &App, deliveries: &[StoredDelivery]) -> Result<(), Unsent> {
    let message = |delivery: &StoredDelivery| {
        let at = delivery.next_attempt_at.filter(|_| !delivery.is_parked())?;
        Some(Message { delivery: delivery.pk.clone(), route: delivery.route.clone(), at })
    };
    let messages: Vec<Message> = deliveries.iter().filter_map(message).collect();
    match app.queue() {
        Some(queue) if !messages.is_empty() => queue.send(messages).await.map_err(Unsent),
        _ => Ok(()),
    }
}

/// The same, where there is no message to come again if it fails: then they are found in the table, within the hour.
pub async fn send_or_leave(app: &App, deliveries: &[StoredDelivery]) {
    if let Err(Unsent(cause)) = send(app, deliveries).await {
        tracing::error!(count = deliveries.len(), cause = cause.to_string(), "deliveries were stored and not sent");
    }
}
