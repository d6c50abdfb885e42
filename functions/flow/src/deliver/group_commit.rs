//! Group commit for first attempts that succeeded. The first caller writes immediately; callers that arrive during its
//! write wait, and one of them then writes for all. So no delivery waits for a slow target, and a batch with similarly
//! fast targets is written in few requests.

use app::App;
use futures::channel::oneshot;
use models::StoredDelivery;
use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};
use store::StoreError;

type WriteResult = Result<(), StoreError>;

#[derive(Default)]
pub struct GroupCommit {
    pending: Mutex<PendingWrites>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct PendingWrites {
    deliveries: Vec<StoredDelivery>,
    senders: Vec<oneshot::Sender<WriteResult>>,
}

impl GroupCommit {
    /// Stores a delivery, unless it exists.
    pub async fn store(&self, app: &App, delivery: StoredDelivery) -> WriteResult {
        let outcome = self.enqueue(delivery);
        let turn = self.turn.lock().await;
        let PendingWrites { mut deliveries, senders } = mem::take(&mut *self.pending());
        if !deliveries.is_empty() {
            let stored = app.store.create_each(&mut deliveries, app.now()).await;
            for (sender, outcome) in senders.into_iter().zip(stored) {
                let _ = sender.send(outcome.map(drop));
            }
        }
        drop(turn);
        outcome.await.map_err(|_| StoreError::Unavailable("the write of a group was cancelled".into()))?
    }

    fn enqueue(&self, delivery: StoredDelivery) -> oneshot::Receiver<WriteResult> {
        let (sender, outcome) = oneshot::channel();
        let mut pending = self.pending();
        pending.deliveries.push(delivery);
        pending.senders.push(sender);
        outcome
    }

    /// No code panics while it holds the lock, so the data of a poisoned lock is intact.
    fn pending(&self) -> MutexGuard<'_, PendingWrites> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
