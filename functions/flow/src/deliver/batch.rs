//! Several deliveries at once: what they need is read together, then each goes its own way.

use super::{Deliverer, Look};
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
use store::{StoreError, grounds::Grounds};
use web::Problem;

impl Deliverer {
    /// Looks at deliveries, at most 25, and attempts those that are due. Answers for each what became of it; an error, there
    /// or of all, says that it is to be looked at again.
    pub async fn deliver_all(&self, app: &App, looks: Vec<Look>) -> Result<Vec<Result<(), Problem>>, Problem> {
        let grounds = &app.store.grounds(looks.iter().map(|look| &look.message)).await?;
        Ok(join_all(looks.iter().map(|look| self.deliver_one(app, look, grounds))).await)
    }

    async fn deliver_one(&self, app: &App, look: &Look, grounds: &Grounds) -> Result<(), Problem> {
        let Some(delivery) = find(app, look, grounds).await? else { return Ok(()) };
        let Some(next_attempt_at) = delivery.next_attempt_at else {
            self.check_streak(app, &delivery.route, grounds).await?;
            return forget(app, delivery, grounds).await;
        };
        if app.now() < next_attempt_at {
            // A message for an earlier attempt has been overtaken: the next attempt has a message of its own.
            let is_overtaken = !look.is_again && look.message.at != next_attempt_at;
            return if is_overtaken { Ok(()) } else { Ok(pending::send(app, slice::from_ref(&delivery)).await?) };
        }
        let unstored = (delivery.version == 0).then(|| delivery.clone());
        let delivered = self.deliver_due(app, delivery, grounds).await;
        if let (Err(_), Some(unstored)) = (&delivered, unstored)
            && let Err(error) = store(app, unstored).await
        {
            let (delivery, cause) = (look.message.delivery.as_str(), causes(&error));
            tracing::error!(delivery, cause, "nothing but its message leads to a delivery");
        }
        delivered
    }
}

/// Takes out of a delivery that is over what its target said, if its event's person was erased. Dispatch sends a message
/// for that: while a first attempt is under way, an erasure does not find its delivery.
async fn forget(app: &App, delivery: StoredDelivery, grounds: &Grounds) -> Result<(), Problem> {
    if delivery.tells() {
        let event = app.store.event_of(grounds, &delivery.event).await?;
        if event.is_some_and(|event| event.is_erased()) {
            // If something else has changed it meanwhile, that was the erasure.
            scrub_delivery(app, delivery).await?;
        }
    }
    Ok(())
}

/// The delivery that a message is of, as it is stored, or as it is before its first attempt; none if it is no more.
async fn find(app: &App, look: &Look, grounds: &Grounds) -> Result<Option<StoredDelivery>, Problem> {
    if let Some(stored) = grounds.delivery(&look.message.delivery)? {
        return Ok(Some(StoredDelivery::clone(&stored)));
    }
    let Some(first) = first(app, &look.message, grounds).await else { return Ok(None) };
    // If the message came before, nothing came of that: it may end as a dead letter of the queue.
    Ok(Some(if look.is_again { store(app, first).await? } else { first }))
}

/// A delivery before its first attempt. None if that may have been made and be forgotten by now.
async fn first(app: &App, message: &Message, grounds: &Grounds) -> Option<StoredDelivery> {
    let When { expires, .. } = pending::parked(app, message.at);
    if !message.is_first || app.now() >= expires {
        return None;
    }
    let event = message.delivery.event();
    // If it can't be read now, that is told when it is needed.
    let stored = app.store.event_of(grounds, &event).await.ok().flatten();
    let event_expires = stored.and_then(|event| event.expires).unwrap_or(u64::MAX);
    let of = Of { event: &event, event_expires, route: &message.route, replay: None };
    let due_at = app.now().plus_seconds(LOST_AFTER_SECONDS);
    Some(StoredDelivery::new(of, message.at, When { next_attempt_at: message.at, due_at, expires }))
}

/// Stores a new delivery as waiting, unless it is there, so that it is looked for.
async fn store(app: &App, delivery: StoredDelivery) -> Result<StoredDelivery, StoreError> {
    let mut stored = [delivery];
    app.store.create_deliveries(&mut stored, app.now()).await?;
    let [stored] = stored;
    Ok(stored)
}
