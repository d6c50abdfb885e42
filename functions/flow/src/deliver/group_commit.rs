//! Group commit for the outcomes of attempts. The first caller writes immediately; callers that arrive during its write
//! wait, and the first of them then writes for all. So no delivery waits for a slow target, and a batch with similarly
//! fast targets is written in few requests.

use crate::{QueueUnavailable, pending};
use app::App;
use futures::channel::oneshot::{self, Sender};
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
    pending: Mutex<Pending<PendingWrite>>,
    turn: tokio::sync::Mutex<()>,
}

/// Writes that no caller has taken, and the number of those taken before.
struct Pending<T> {
    writes: Vec<T>,
    taken: u64,
}

struct PendingWrite {
    delivery: StoredDelivery,
    caller: Sender<WriteResult>,
}

/// A write that has ended. The result is false on a conflict.
struct EndedWrite {
    delivery: StoredDelivery,
    caller: Sender<WriteResult>,
    result: Result<bool, StoreError>,
}

impl GroupCommit {
    /// Writes a delivery, and sends the message for its next attempt. On a conflict, the other writer has taken care of
    /// it.
    pub async fn write(&self, app: &App, delivery: StoredDelivery) -> WriteResult {
        let (caller, result) = oneshot::channel();
        let number = self.pending().add(PendingWrite { delivery, caller });
        let turn = self.turn.lock().await;
        let group = self.pending().take_unless_taken(number);
        let writes = write_all(app, group).await;
        drop(turn);
        conclude(app, writes).await;
        result.await.map_err(|_| StoreError::Unavailable("the write of a group was cancelled".into()))?
    }

    /// No code panics while it holds the lock, so the data of a poisoned lock is intact.
    fn pending(&self) -> MutexGuard<'_, Pending<PendingWrite>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self { writes: Vec::new(), taken: 0 }
    }
}

impl<T> Pending<T> {
    /// Adds a write, and returns its number.
    fn add(&mut self, write: T) -> u64 {
        let number = self.taken + self.writes.len() as u64;
        self.writes.push(write);
        number
    }

    /// Takes all writes, or none if another caller has taken this one: its caller need not wait for later ones.
    fn take_unless_taken(&mut self, number: u64) -> Vec<T> {
        if number < self.taken {
            return Vec::new();
        }
        self.taken += self.writes.len() as u64;
        mem::take(&mut self.writes)
    }
}

async fn write_all(app: &App, mut pending: Vec<PendingWrite>) -> Vec<EndedWrite> {
    let mut ended = Vec::with_capacity(pending.len());
    while !pending.is_empty() {
        // One request can't write a key twice.
        let mut ids = BTreeSet::new();
        let (group, rest): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|write| ids.insert(write.delivery.id.clone()));
        pending = rest;
        let (mut deliveries, callers): (Vec<_>, Vec<_>) =
            group.into_iter().map(|PendingWrite { delivery, caller }| (delivery, caller)).unzip();
        let results = app.store.write_deliveries(&mut deliveries, app.now()).await;
        let writes = deliveries.into_iter().zip(callers).zip(results);
        ended.extend(writes.map(|((delivery, caller), result)| EndedWrite { delivery, caller, result }));
    }
    ended
}

/// Sends the messages of the deliveries that wait for another attempt, and the results of all. A caller that is gone
/// needs none.
async fn conclude(app: &App, writes: Vec<EndedWrite>) {
    let (mut waiting, mut callers) = (Vec::new(), Vec::new());
    for EndedWrite { delivery, caller, mut result } in writes {
        let waits = delivery.next_attempt_at.is_some();
        if waits && matches!(result, Ok(false)) {
            // The SDK repeats a write whose answer was lost, which then looks like a conflict.
            result = app.store.is_stored(&delivery).await;
        }
        if waits && matches!(result, Ok(true)) {
            waiting.push(delivery);
            callers.push(caller);
        } else {
            let _ = caller.send(result.map(drop).map_err(Problem::from));
        }
    }
    let sent = pending::send(app, &waiting).await.map_err(Arc::new);
    let unsent = |error: &Arc<QueueUnavailable>| QueueUnavailable(Box::new(Arc::clone(error)));
    for caller in callers {
        let _ = caller.send(sent.as_ref().copied().map_err(|error| unsent(error).into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_whose_write_was_taken_takes_no_later_one() {
        let mut pending = Pending::default();
        let [first, second] = ["first", "second"].map(|write| pending.add(write));
        assert_eq!(pending.take_unless_taken(first), ["first", "second"]);
        let third = pending.add("third");
        assert!(pending.take_unless_taken(second).is_empty());
        assert_eq!(pending.take_unless_taken(third), ["third"]);
        let fourth = pending.add("fourth");
        assert_eq!(pending.take_unless_taken(fourth), ["fourth"]);
    }
}
