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
    is_given_up: bool,
    give_up: Arc<Notify>,
}

/// The slot of one connection, released on drop.
pub struct Slot {
    shared: Arc<Shared>,
    id: u64,
    give_up: Arc<Notify>,
}

impl Connections {
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { limit, open: Mutex::default(), changed: Notify::new() }))
    }

    /// A slot for a new connection; waits until there is one.
    pub async fn enter(&self) -> Slot {
        loop {
            if let Some(place) = self.try_enter() {
                return place;
            }
            self.0.changed.notified().await;
        }
    }

    /// A slot for a new connection. If there is none, another connection is being closed, or all are being answered.
    fn try_enter(&self) -> Option<Slot> {
        let mut open = self.0.lock();
        if open.connections.len() >= self.0.limit {
            open.give_one_up();
            return None;
        }
        open.last_id += 1;
        let (id, give_up) = (open.last_id, Arc::new(Notify::new()));
        let connection = Connection {
            stage: Stage::Waiting,
            since: Instant::now(),
            is_given_up: false,
            give_up: Arc::clone(&give_up),
        };
        open.connections.insert(id, connection);
        Some(Slot { shared: Arc::clone(&self.0), id, give_up })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the connection that has waited longest, unless one is already ending.
    fn give_one_up(&mut self) {
        if self.connections.values().any(|connection| connection.is_given_up) {
            return;
        }
        let candidates = self.connections.values_mut().filter(|connection| connection.stage != Stage::Working);
        if let Some(longest) = candidates.min_by_key(|connection| (connection.stage, connection.since)) {
            longest.is_given_up = true;
            longest.give_up.notify_one();
        }
    }
}

impl Slot {
    /// Sets the stage. False if the connection is being closed, so that no work may start on it.
    pub fn enter(&self, stage: Stage) -> bool {
        let mut open = self.shared.lock();
        let Some(connection) = open.connections.get_mut(&self.id).filter(|connection| !connection.is_given_up) else {
            return false;
        };
        (connection.stage, connection.since) = (stage, Instant::now());
        if stage != Stage::Working {
            self.shared.changed.notify_one();
        }
        true
    }

    /// Resolves when the connection must end in favour of another.
    pub async fn given_up(&self) {
        self.give_up.notified().await;
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
    async fn the_connection_that_waited_longest_gives_way_and_none_that_is_answered() {
        let connections = Connections::new(4);
        let places = [(); 4].map(|()| connections.try_enter().unwrap());
        let [working, receiving, older, newer] = places;
        working.enter(Stage::Working);
        receiving.enter(Stage::Receiving);
        let mut answered = vec![working];
        for expected in [older, newer, receiving] {
            for _ in 0..2 {
                assert!(connections.try_enter().is_none());
            }
            let given_up: Vec<u64> = {
                let open = connections.0.lock();
                open.connections.iter().filter(|(_, it)| it.is_given_up).map(|(id, _)| *id).collect()
            };
            assert_eq!(given_up, [expected.id]);
            assert!(!expected.enter(Stage::Working), "a request on it would go without an answer");
            expected.given_up().await;
            drop(expected);
            let place = connections.enter().await;
            place.enter(Stage::Working);
            answered.push(place);
        }
        assert!(connections.try_enter().is_none());
        answered[2].enter(Stage::Waiting);
        assert!(connections.try_enter().is_none());
        answered[2].given_up().await;
    }
}
