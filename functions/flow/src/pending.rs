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

/// A wait until an instant, of a delivery that is sent to the queue next if that keeps messages back so long.
pub fn until(app: &App, next_attempt_at: Timestamp) -> When {
    let queued = app.queue().is_some() && is_for_queue(app.now(), next_attempt_at);
    When {
        next_attempt_at,
        due_at: if queued { next_attempt_at.plus_seconds(LOST_AFTER_SECONDS) } else { next_attempt_at },
        expires: next_attempt_at.plus_seconds(app.config.delivery_ttl_days * 86_400),
    }
}

fn is_for_queue(now: Timestamp, at: Timestamp) -> bool {
    at.millis_since(now) <= MOST_DELAY_SECONDS * 1000
}

/// Sends deliveries to the queue that were stored as waiting. Those that wait longer than a queue keeps a message back
/// are found in the table.
pub async fn send(app: &App, deliveries: &[StoredDelivery]) -> Result<(), Unsent> {
    let now = app.now();
    let message = |delivery: &StoredDelivery| {
        let at = delivery.next_attempt_at.filter(|at| is_for_queue(now, *at))?;
        Some(Message { delivery: delivery.pk.clone(), route: delivery.route.clone(), at })
    };
    let messages: Vec<Message> = deliveries.iter().filter_map(message).collect();
    match app.queue() {
        Some(queue) if !messages.is_empty() => queue.send(messages).await.map_err(Unsent),
        _ => Ok(()),
    }
}
