//! Group commit for the outcomes of attempts. The first caller writes immediately; callers that arrive during its write
//! wait, and one of them then writes for all. So no delivery waits for a slow target, and a batch with similarly fast
//! targets is written in few requests.

use crate::{QueueUnavailable, pending};
use app::App;
use futures::channel::oneshot;
use models::StoredDelivery;
use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use store::StoreError;
use web::Problem;

type WriteResult = Result<(), Problem>;

#[derive(Default)]
pub struct GroupCommit {
    pending: Mutex<Vec<PendingWrite>>,
    turn: tokio::sync::Mutex<()>,
}

struct PendingWrite {
    delivery: StoredDelivery,
    sender: oneshot::Sender<WriteResult>,
}

impl GroupCommit {
    /// Writes a delivery, and sends the message for its next attempt. On a conflict, the other writer has taken care of
    /// it.
    pub async fn write(&self, app: &App, delivery: StoredDelivery) -> WriteResult {
        let (sender, outcome) = oneshot::channel();
        self.pending().push(PendingWrite { delivery, sender });
        let turn = self.turn.lock().await;
        let mut pending = mem::take(&mut *self.pending());
        while !pending.is_empty() {
            // One request can't write a key twice.
            let mut ids = BTreeSet::new();
            let (group, rest): (Vec<_>, Vec<_>) =
                pending.into_iter().partition(|write| ids.insert(write.delivery.id.clone()));
            pending = rest;
            let (deliveries, senders): (Vec<_>, Vec<_>) =
                group.into_iter().map(|PendingWrite { delivery, sender }| (delivery, sender)).unzip();
            for (sender, outcome) in senders.into_iter().zip(write_and_send(app, deliveries).await) {
                let _ = sender.send(outcome);
            }
        }
        drop(turn);
        outcome.await.map_err(|_| StoreError::Unavailable("the write of a group was cancelled".into()))?
    }

    /// No code panics while it holds the lock, so the data of a poisoned lock is intact.
    fn pending(&self) -> MutexGuard<'_, Vec<PendingWrite>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_and_send(app: &App, mut deliveries: Vec<StoredDelivery>) -> Vec<WriteResult> {
    let mut written = app.store.write_deliveries(&mut deliveries, app.now()).await;
    let mut waiting = Vec::new();
    for (delivery, written) in deliveries.iter().zip(&mut written) {
        if delivery.next_attempt_at.is_none() {
            continue;
        }
        if matches!(written, Ok(false)) {
            // The SDK repeats a write whose answer was lost, which then looks like a conflict.
            *written = app.store.is_stored(delivery).await;
        }
        if matches!(written, Ok(true)) {
            waiting.push(delivery);
        }
    }
    let sent = pending::send(app, waiting).await.map_err(Arc::new);
    let outcome = |(delivery, written): (&StoredDelivery, Result<bool, StoreError>)| match (written?, &sent) {
        (true, Err(unsent)) if delivery.next_attempt_at.is_some() => {
            Err(QueueUnavailable(Box::new(Arc::clone(unsent))).into())
        }
        _ => Ok(()),
    };
    deliveries.iter().zip(written).map(outcome).collect()
}
