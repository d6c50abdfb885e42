//! Several deliveries at once: what they need is read together, then each goes its own way.

use super::{Deliverer, Look};
use crate::pending::{self, LOST_AFTER_SECONDS};
use futures::future::join_all;
use models::{StoredDelivery, delivery::DeliveryKey};
use runtime::{
    App, Problem,
    log::causes,
    store::{StoreError, grounds::Grounds},
};
use std::{collections::HashMap, slice};

/// What was read of deliveries, by id.
type Found = HashMap<String, Result<StoredDelivery, StoreError>>;

impl Deliverer {
    /// Looks at deliveries, at most 33, and attempts those that are due. Answers for each what became of it; an error, there
    /// or of all, says that it is to be looked at again.
    pub async fn deliver_all(&self, app: &App, looks: Vec<Look>) -> Result<Vec<Result<(), Problem>>, Problem> {
        let found = app.store.deliveries_by_id(looks.iter().map(|look| &look.delivery)).await?;
        let looked = join_all(looks.iter().map(|look| look_at(app, look, &found))).await;
        let due: Vec<&StoredDelivery> = looked.iter().filter_map(|due| due.as_ref().ok()?.as_ref()).collect();
        if due.is_empty() {
            return Ok(looked.into_iter().map(|looked| looked.map(|_| ())).collect());
        }
        let grounds = &app.store.grounds(due).await?;
        let delivered = looked.into_iter().map(|due| async move {
            match due? {
                Some(delivery) => self.deliver_or_list(app, delivery, grounds).await,
                None => Ok(()),
            }
        });
        Ok(join_all(delivered).await)
    }

    /// Delivers one. If that fails, something else than its message leads to it, too: that one may not come again.
    async fn deliver_or_list(&self, app: &App, delivery: StoredDelivery, grounds: &Grounds) -> Result<(), Problem> {
        let unlisted = (!delivery.is_looked_for()).then(|| delivery.key());
        let delivered = self.deliver_due(app, delivery, grounds).await;
        if let (Err(_), Some(key)) = (&delivered, unlisted)
            && let Err(error) = list(app, &key).await
        {
            let (delivery, cause) = (key.id.as_str(), causes(&error));
            tracing::error!(delivery, cause, "nothing but its message leads to a delivery");
        }
        delivered
    }
}

/// Whether a delivery is due: then it is to be attempted.
async fn look_at(app: &App, look: &Look, found: &Found) -> Result<Option<StoredDelivery>, Problem> {
    let delivery = match found.get(look.delivery.as_str()) {
        Some(Ok(delivery)) => delivery,
        Some(Err(error)) => return Err(StoreError::Malformed(causes(error).into()).into()),
        None => return Ok(None),
    };
    let Some(next_attempt_at) = delivery.next_attempt_at else { return Ok(None) };
    // Its message came before, and nothing came of that: it may end as a dead letter of the queue.
    if look.planned.is_none() && !delivery.is_looked_for() {
        list(app, &delivery.key()).await?;
    }
    if app.now() >= next_attempt_at {
        return Ok(Some(delivery.clone()));
    }
    // One that is for an earlier attempt has been overtaken: the next attempt has a message of its own.
    let overtaken = delivery.is_looked_for() && look.planned.is_some_and(|planned| planned != next_attempt_at);
    if !overtaken {
        pending::send(app, slice::from_ref(delivery)).await?;
    }
    Ok(None)
}

/// Has the sweep look for a delivery, once its message counts as lost.
async fn list(app: &App, delivery: &DeliveryKey) -> Result<(), StoreError> {
    app.store.look_for(delivery, app.now().plus_seconds(LOST_AFTER_SECONDS)).await
}
