//! Erasure of personal data in deliveries.

use app::App;
use futures::future::try_join_all;
use models::{DeliveryState, EventId, StoredDelivery, delivery::Reason};
use store::StoreError;

/// Retry limit for optimistic-lock conflicts.
const ATTEMPTS: usize = 20;

/// Removes the targets' texts from an event's deliveries. Call it after the event was scrubbed: later attempts find
/// nothing to deliver.
pub async fn scrub_deliveries(app: &App, event: EventId) -> Result<(), StoreError> {
    for _ in 0..ATTEMPTS {
        let scrubbed = app.store.deliveries_of(&event).await?.into_iter().map(|delivery| scrub_delivery(app, delivery));
        if try_join_all(scrubbed).await?.into_iter().all(|is_done| is_done) {
            return Ok(());
        }
    }
    Err(StoreError::Condition(None))
}

/// Removes the target's texts from one delivery. Returns false on a conflict with another writer.
pub async fn scrub_delivery(app: &App, mut delivery: StoredDelivery) -> Result<bool, StoreError> {
    let is_pending = delivery.state == DeliveryState::Pending;
    if is_pending {
        // An attempt that is under way can then no longer write the target's answer.
        delivery.finish(DeliveryState::Skipped, Some(Reason::PersonErased));
    }
    if !delivery.remove_target_text() && !is_pending {
        return Ok(true);
    }
    match app.store.update_delivery(&mut delivery, app.now()).await {
        Ok(()) => Ok(true),
        Err(StoreError::Condition(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
