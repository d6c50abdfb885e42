//! First attempts that succeeded: what came of them is stored together. Whoever comes first writes at once; who comes
//! while that is under way waits for its end, and then one writes for all. So none waits for a slow target, and a batch
//! whose targets are about as quick is written in few requests.

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
pub struct Firsts {
    waiting: Mutex<Waiting>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    deliveries: Vec<StoredDelivery>,
    tell: Vec<oneshot::Sender<Outcome>>,
}

impl Firsts {
    /// Stores a delivery, unless it is there already.
    pub async fn store(&self, app: &App, delivery: StoredDelivery) -> Outcome {
        let told = self.wait(delivery);
        let turn = self.turn.lock().await;
        let Waiting { mut deliveries, tell } = mem::take(&mut *self.waiting());
        if !deliveries.is_empty() {
            let stored = app.store.create_each(&mut deliveries, app.now()).await;
            for (tell, outcome) in tell.into_iter().zip(stored) {
                let _ = tell.send(outcome.map(drop));
            }
        }
        drop(turn);
        told.await.map_err(|_| StoreError::Unavailable("who was writing has stopped".into()))?
    }

    fn wait(&self, delivery: StoredDelivery) -> oneshot::Receiver<Outcome> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.deliveries.push(delivery);
        waiting.tell.push(tell);
        told
    }

    /// Nothing that holds the lock can panic halfway, so what a poisoned one holds is whole.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
