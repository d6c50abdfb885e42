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
    delivery::{DeliveryOrigin, DeliveryTimes, Message},
};
use store::{StoreError, delivery_inputs::DeliveryInputs};
use web::Problem;

impl Deliverer {
    /// Checks at most 25 deliveries, and attempts those that are due. Returns an outcome for each. An error, of one or
    /// of all, means that the message must come again.
    pub async fn deliver_all(
        &self,
        app: &App,
        checks: Vec<DeliveryCheck>,
    ) -> Result<Vec<Result<(), Problem>>, Problem> {
        let inputs = &app.store.load_delivery_inputs(checks.iter().map(|check| &check.message)).await?;
        Ok(join_all(checks.iter().map(|check| self.deliver_one(app, check, inputs))).await)
    }

    /// Checks one delivery of a batch, and attempts it if it is due. `inputs` are those of the batch, read before.
    pub async fn deliver_one(&self, app: &App, check: &DeliveryCheck, inputs: &DeliveryInputs) -> Result<(), Problem> {
        let Some(delivery) = find(app, check, inputs).await? else { return Ok(()) };
        let Some(next_attempt_at) = delivery.next_attempt_at else {
            self.check_streak(app, &delivery.route, inputs).await?;
            return scrub_if_erased(app, delivery, inputs).await;
        };
        if app.now() < next_attempt_at {
            // The message is for an earlier attempt. The next attempt has a message of its own.
            let is_overtaken = !check.is_redelivered && check.message.at != next_attempt_at;
            return if is_overtaken { Ok(()) } else { Ok(pending::send(app, [&delivery]).await?) };
        }
        let unstored = (delivery.version == 0).then(|| delivery.clone());
        let delivered = self.deliver_due(app, delivery, inputs).await;
        if let (Err(_), Some(unstored)) = (&delivered, unstored)
            && let Err(error) = store(app, unstored).await
        {
            let (delivery, cause) = (check.message.delivery.as_str(), causes(&error));
            tracing::error!(delivery, cause, "a failed delivery could not be stored for a retry");
        }
        delivered
    }
}

/// Removes the target's texts from a finished delivery if its event's person was erased. Dispatch sends a message for
/// this: while a first attempt is under way, the delivery is not stored yet, and an erasure can't find it.
async fn scrub_if_erased(app: &App, delivery: StoredDelivery, inputs: &DeliveryInputs) -> Result<(), Problem> {
    if delivery.has_target_text() {
        let event = app.store.event_of(inputs, &delivery.event).await?;
        if event.is_some_and(|event| event.stored.is_erased()) {
            // If another write came first, it was the erasure.
            scrub_delivery(app, delivery).await?;
        }
    }
    Ok(())
}

/// The delivery of a message: as stored, or new before its first attempt. None if it no longer exists.
async fn find(app: &App, check: &DeliveryCheck, inputs: &DeliveryInputs) -> Result<Option<StoredDelivery>, Problem> {
    if let Some(stored) = inputs.delivery(&check.message.delivery)? {
        return Ok(Some(StoredDelivery::clone(&stored)));
    }
    let Some(first) = first(app, &check.message, inputs).await else { return Ok(None) };
    Ok(Some(if check.may_be_dropped { store(app, first).await? } else { first }))
}

/// A delivery before its first attempt. None if it may have been attempted and have expired since.
async fn first(app: &App, message: &Message, inputs: &DeliveryInputs) -> Option<StoredDelivery> {
    let DeliveryTimes { expires, .. } = pending::without_message(app, message.at);
    if !message.is_first || app.now() >= expires {
        return None;
    }
    let event = message.delivery.event();
    // If the event can't be read now, the attempt reports the error.
    let stored = app.store.event_of(inputs, &event).await.ok().flatten();
    let event_expires = stored.and_then(|event| event.stored.expires).unwrap_or(u64::MAX);
    let of = DeliveryOrigin { event: &event, event_expires, route: &message.route, replay: None };
    let due_at = app.now().plus_seconds(LOST_AFTER_SECONDS);
    Some(StoredDelivery::new(of, message.at, DeliveryTimes { next_attempt_at: message.at, due_at, expires }))
}

/// Stores a new delivery as pending, unless it exists, so that the sweep can find it.
async fn store(app: &App, delivery: StoredDelivery) -> Result<StoredDelivery, StoreError> {
    let mut stored = [delivery];
    app.store.create_deliveries(&mut stored, app.now()).await?;
    let [stored] = stored;
    Ok(stored)
}
