//! Limit on open connections. When it is reached, the connection that has waited longest for its client is closed in
//! favour of a new one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Notify, time::Instant};

/// Stage of a connection. Connections in lower stages are closed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Idle, sending its headers or a rejected body, or reading an answer.
    Waiting,
    /// Sending the body of an admitted request.
    Receiving,
    /// Being answered: never closed.
    Working,
}

/// The open connections.
pub struct Connections(Arc<Shared>);

struct Shared {
    limit: usize,
    open: Mutex<Open>,
    /// Signalled when a connection has ended or can be closed.
    changed: Notify,
}

#[derive(Default)]
struct Open {
    last_id: u64,
    connections: HashMap<u64, Connection>,
}

struct Connection {
    stage: Stage,
    since: Instant,
    is_closing: bool,
    close: Arc<Notify>,
}

/// The slot of one connection, released on drop.
pub struct Slot {
    shared: Arc<Shared>,
    id: u64,
    close: Arc<Notify>,
}

impl Connections {
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { limit, open: Mutex::default(), changed: Notify::new() }))
    }

    /// A slot for a new connection; waits until there is one.
    pub async fn enter(&self) -> Slot {
        loop {
            if let Some(slot) = self.try_enter() {
                return slot;
            }
            self.0.changed.notified().await;
        }
    }

    /// A slot for a new connection. If there is none, another connection is being closed, or all are being answered.
    fn try_enter(&self) -> Option<Slot> {
        let mut open = self.0.lock();
        if open.connections.len() >= self.0.limit {
            open.close_longest_waiting();
            return None;
        }
        open.last_id += 1;
        let (id, close) = (open.last_id, Arc::new(Notify::new()));
        let connection =
            Connection { stage: Stage::Waiting, since: Instant::now(), is_closing: false, close: Arc::clone(&close) };
        open.connections.insert(id, connection);
        Some(Slot { shared: Arc::clone(&self.0), id, close })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the connection that has waited longest, unless one is already ending.
    fn close_longest_waiting(&mut self) {
        if self.connections.values().any(|connection| connection.is_closing) {
            return;
        }
        let candidates = self.connections.values_mut().filter(|connection| connection.stage != Stage::Working);
        if let Some(longest) = candidates.min_by_key(|connection| (connection.stage, connection.since)) {
            longest.is_closing = true;
            longest.close.notify_one();
        }
    }
}

impl Slot {
    /// Sets the stage. False if the connection is being closed, so that no work may start on it.
    pub fn enter(&self, stage: Stage) -> bool {
        let mut open = self.shared.lock();
        let Some(connection) = open.connections.get_mut(&self.id).filter(|connection| !connection.is_closing) else {
            return false;
        };
        (connection.stage, connection.since) = (stage, Instant::now());
        if stage != Stage::Working {
            self.shared.changed.notify_one();
        }
        true
    }

    /// Resolves when the connection must end in favour of another.
    pub async fn closed(&self) {
        self.close.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.lock().connections.remove(&self.id);
        self.shared.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_waiting_connection_is_closed_but_never_one_being_answered() {
        let connections = Connections::new(4);
        let slots = [(); 4].map(|()| connections.try_enter().unwrap());
        let [working, receiving, older, newer] = slots;
        working.enter(Stage::Working);
        receiving.enter(Stage::Receiving);
        let mut answered = vec![working];
        for expected in [older, newer, receiving] {
            for _ in 0..2 {
                assert!(connections.try_enter().is_none());
            }
            let closed: Vec<u64> = {
                let open = connections.0.lock();
                open.connections.iter().filter(|(_, it)| it.is_closing).map(|(id, _)| *id).collect()
            };
            assert_eq!(closed, [expected.id]);
            assert!(!expected.enter(Stage::Working), "a request on it would go without an answer");
            expected.closed().await;
            drop(expected);
            let slot = connections.enter().await;
            slot.enter(Stage::Working);
            answered.push(slot);
        }
        assert!(connections.try_enter().is_none());
        answered[2].enter(Stage::Waiting);
        assert!(connections.try_enter().is_none());
        answered[2].closed().await;
    }
}
