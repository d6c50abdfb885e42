//! Batches of deliveries: their items are read together, then each delivery is handled on its own.

use super::{Deliverer, DeliveryCheck};
use crate::{
    erasure::scrub_delivery,
    pending::{self, LOST_AFTER_SECONDS},
};
use app::App;
use futures::future::join_all;
use models::{
    StoredDelivery, causes,
    delivery::{Message, Of, When},
};
use std::slice;
use store::{StoreError, delivery_inputs::DeliveryInputs};
use web::Problem;

impl Deliverer {
    /// Checks at most 25 deliveries, and attempts those that are due. Returns an outcome for each. An error, of one or
    /// of all, means that the message must come again.
    pub async fn deliver_all(&self, app: &App, looks: Vec<DeliveryCheck>) -> Result<Vec<Result<(), Problem>>, Problem> {
        let grounds = &app.store.load_delivery_inputs(looks.iter().map(|parse_message| &parse_message.message)).await?;
        Ok(join_all(looks.iter().map(|parse_message| self.deliver_one(app, parse_message, grounds))).await)
    }

    async fn deliver_one(
        &self,
        app: &App,
        parse_message: &DeliveryCheck,
        grounds: &DeliveryInputs,
    ) -> Result<(), Problem> {
        let Some(delivery) = find(app, parse_message, grounds).await? else { return Ok(()) };
        let Some(next_attempt_at) = delivery.next_attempt_at else {
            self.check_streak(app, &delivery.route, grounds).await?;
            return forget(app, delivery, grounds).await;
        };
        if app.now() < next_attempt_at {
            // The message is for an earlier attempt. The next attempt has a message of its own.
            let is_overtaken = !parse_message.is_redelivered && parse_message.message.at != next_attempt_at;
            return if is_overtaken { Ok(()) } else { Ok(pending::send(app, slice::from_ref(&delivery)).await?) };
        }
        let unstored = (delivery.version == 0).then(|| delivery.clone());
        let delivered = self.deliver_due(app, delivery, grounds).await;
        if let (Err(_), Some(unstored)) = (&delivered, unstored)
            && let Err(error) = store(app, unstored).await
        {
            let (delivery, cause) = (parse_message.message.delivery.as_str(), causes(&error));
            tracing::error!(delivery, cause, "a failed delivery could not be stored for a retry");
        }
        delivered
    }
}

/// Removes the target's texts from a finished delivery if its event's person was erased. Dispatch sends a message for
/// this: while a first attempt is under way, the delivery is not stored yet, and an erasure can't find it.
async fn forget(app: &App, delivery: StoredDelivery, grounds: &DeliveryInputs) -> Result<(), Problem> {
    if delivery.tells() {
        let event = app.store.event_of(grounds, &delivery.event).await?;
        if event.is_some_and(|event| event.is_erased()) {
            // If another write came first, it was the erasure.
            scrub_delivery(app, delivery).await?;
        }
    }
    Ok(())
}

/// The delivery of a message: as stored, or new before its first attempt. None if it no longer exists.
async fn find(
    app: &App,
    parse_message: &DeliveryCheck,
    grounds: &DeliveryInputs,
) -> Result<Option<StoredDelivery>, Problem> {
    if let Some(stored) = grounds.delivery(&parse_message.message.delivery)? {
        return Ok(Some(StoredDelivery::clone(&stored)));
    }
    let Some(first) = first(app, &parse_message.message, grounds).await else { return Ok(None) };
    // A redelivered message may end in the dead-letter queue, so the delivery is stored first.
    Ok(Some(if parse_message.is_redelivered { store(app, first).await? } else { first }))
}

/// A delivery before its first attempt. None if it may have been attempted and have expired since.
async fn first(app: &App, message: &Message, grounds: &DeliveryInputs) -> Option<StoredDelivery> {
    let When { expires, .. } = pending::parked(app, message.at);
    if !message.is_first || app.now() >= expires {
        return None;
    }
    let event = message.delivery.event();
    // If the event can't be read now, the attempt reports the error.
    let stored = app.store.event_of(grounds, &event).await.ok().flatten();
    let event_expires = stored.and_then(|event| event.expires).unwrap_or(u64::MAX);
    let of = Of { event: &event, event_expires, route: &message.route, replay: None };
    let due_at = app.now().plus_seconds(LOST_AFTER_SECONDS);
    Some(StoredDelivery::new(of, message.at, When { next_attempt_at: message.at, due_at, expires }))
}

/// Stores a new delivery as pending, unless it exists, so that the sweep can find it.
async fn store(app: &App, delivery: StoredDelivery) -> Result<StoredDelivery, StoreError> {
    let mut stored = [delivery];
    app.store.create_deliveries(&mut stored, app.now()).await?;
    let [stored] = stored;
    Ok(stored)
}
