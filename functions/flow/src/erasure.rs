//! What an erasure takes out of deliveries.

use app::App;
use futures::future::try_join_all;
use models::{DeliveryState, EventId, StoredDelivery, delivery::Reason};
use store::StoreError;

/// How often that is tried which something else changes at the same time.
const ATTEMPTS: usize = 20;

/// Takes out of an event's deliveries what their targets said. It is for after the event was scrubbed: what is attempted
/// from then on finds nothing to deliver.
pub async fn scrub_deliveries(app: &App, event: EventId) -> Result<(), StoreError> {
    for _ in 0..ATTEMPTS {
        let scrubbed = app.store.deliveries_of(&event).await?.into_iter().map(|delivery| scrub_delivery(app, delivery));
        if try_join_all(scrubbed).await?.into_iter().all(|is_done| is_done) {
            return Ok(());
        }
    }
    Err(StoreError::Condition(None))
}

/// The same of one delivery. Whether that was done, or something else has changed it meanwhile.
pub async fn scrub_delivery(app: &App, mut delivery: StoredDelivery) -> Result<bool, StoreError> {
    let is_pending = delivery.state == DeliveryState::Pending;
    if is_pending {
        // An attempt that is under way can then not write what it was answered.
        delivery.end(DeliveryState::Skipped, Some(Reason::PersonErased));
    }
    if !delivery.scrub() && !is_pending {
        return Ok(true);
    }
    match app.store.update_delivery(&mut delivery, app.now()).await {
        Ok(()) => Ok(true),
        Err(StoreError::Condition(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
