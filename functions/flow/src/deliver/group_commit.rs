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

type Outcome = Result<(), StoreError>;

#[derive(Default)]
pub struct GroupCommit {
    waiting: Mutex<PendingWrites>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct PendingWrites {
    deliveries: Vec<StoredDelivery>,
    tell: Vec<oneshot::Sender<Outcome>>,
}

impl GroupCommit {
    /// Stores a delivery, unless it exists.
    pub async fn store(&self, app: &App, delivery: StoredDelivery) -> Outcome {
        let told = self.wait(delivery);
        let turn = self.turn.lock().await;
        let PendingWrites { mut deliveries, tell } = mem::take(&mut *self.waiting());
        if !deliveries.is_empty() {
            let stored = app.store.create_each(&mut deliveries, app.now()).await;
            for (tell, outcome) in tell.into_iter().zip(stored) {
                let _ = tell.send(outcome.map(drop));
            }
        }
        drop(turn);
        told.await.map_err(|_| StoreError::Unavailable("the write of a group was cancelled".into()))?
    }

    fn wait(&self, delivery: StoredDelivery) -> oneshot::Receiver<Outcome> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.deliveries.push(delivery);
        waiting.tell.push(tell);
        told
    }

    /// No code panics while it holds the lock, so the data of a poisoned lock is intact.
    fn waiting(&self) -> MutexGuard<'_, PendingWrites> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
