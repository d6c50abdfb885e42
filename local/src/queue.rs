//! The delivery queue. Its messages are in memory, and on disk until they are handled. Routes take turns, and the number
//! of running deliveries per route is limited, so that a slow target delays no other.

use crate::{BoxError, stop::stop};
use app::App;
use aws::queue::{Queue, Sending};
use embedded::{Database, MessageNumber};
use flow::deliver::{Deliverer, DeliveryCheck};
use models::{RouteId, Timestamp, causes, clock::Clock, delivery::Message};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    iter, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, watch},
    task::{JoinError, JoinSet},
    time,
};
use web::Problem;

/// Limit on running deliveries per route.
const MAX_RUNNING_PER_ROUTE: usize = 100;
/// Limit on running deliveries of all routes.
const MAX_RUNNING: usize = 500;
/// Limit on deliveries whose items are read together.
const MAX_BATCH: usize = 25;
/// Time from one release of delayed messages to the next: under a steady load, retries share requests.
const RELEASE_INTERVAL: Duration = Duration::from_millis(250);
/// Interval of clock checks, because the clock may be changed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Interval at which handled messages are deleted, if no new ones are stored with that write.
const DELETE_INTERVAL: Duration = Duration::from_secs(1);
const RETRY_AFTER_SECONDS: u64 = 5;
/// Retry limit, as on AWS. After it, the message waits on disk for the next start.
const MAX_TRIES: u32 = 10;

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
struct QueuedMessage {
    number: MessageNumber,
    message: Message,
    /// The message may have been handled in part.
    is_redelivered: bool,
    tries: u32,
}

pub struct LocalQueue {
    clock: Arc<dyn Clock>,
    database: Database,
    waiting: Arc<Waiting>,
    /// Messages to delete.
    handled: Mutex<Vec<MessageNumber>>,
}

#[derive(Default)]
struct Waiting {
    messages: Mutex<Messages>,
    changed: Notify,
}

#[derive(Default)]
struct Messages {
    /// Delayed messages by their due time. The number distinguishes messages of one instant.
    delayed: BTreeMap<(Timestamp, u64), QueuedMessage>,
    count: u64,
    /// Time of the last release of delayed messages.
    released_at: Option<Instant>,
    ready: HashMap<RouteId, VecDeque<QueuedMessage>>,
    /// Routes with messages that are ready, in the order of their turns.
    turns: VecDeque<RouteId>,
    running: HashMap<RouteId, usize>,
}

impl LocalQueue {
    /// A queue with the messages that an earlier process left. One that can't be read stays on disk, for a release that
    /// can.
    pub async fn load(clock: Arc<dyn Clock>, database: Database) -> Result<Self, BoxError> {
        let (waiting, handled) = Default::default();
        let queue = Self { clock, database, waiting, handled };
        for (number, body) in queue.database.messages().await? {
            match serde_json::from_str(&body) {
                Ok(message) => {
                    let queued = QueuedMessage { number, message, is_redelivered: true, tries: 0 };
                    queue.messages().add(queued, queue.clock.now());
                }
                Err(error) => {
                    tracing::error!(number, cause = causes(&error), "a message of the queue can't be read; it is kept");
                }
            }
        }
        Ok(queue)
    }

    /// Delivers messages until it is stopped, then finishes the running deliveries.
    pub async fn serve(self: Arc<Self>, app: Arc<App>, deliverer: Arc<Deliverer>, mut stopped: watch::Receiver<bool>) {
        let mut running = JoinSet::new();
        let mut deletions = time::interval(DELETE_INTERVAL);
        loop {
            // All of them: ended deliveries that are still in the set leave less room for others.
            while let Some(ended) = running.try_join_next() {
                log_panic(ended);
            }
            tokio::select! {
                _ = deletions.tick() => self.delete_handled().await,
                // The next batch is what has come while this one is read.
                batch = self.next(MAX_RUNNING - running.len()), if running.len() < MAX_RUNNING => {
                    self.start(&app, &deliverer, batch, &mut running).await;
                }
                Some(ended) = running.join_next() => log_panic(ended),
                () = stop(&mut stopped) => break,
            }
        }
        while running.join_next().await.is_some() {}
        self.delete_handled().await;
    }

    /// Reads the items of a batch together, and starts its deliveries.
    async fn start(
        self: &Arc<Self>,
        app: &Arc<App>,
        deliverer: &Arc<Deliverer>,
        batch: Vec<QueuedMessage>,
        running: &mut JoinSet<()>,
    ) {
        let inputs = match app.store.load_delivery_inputs(batch.iter().map(|queued| &queued.message)).await {
            Ok(inputs) => Arc::new(inputs),
            Err(error) => {
                let problem = Problem::from(error);
                batch.into_iter().for_each(|queued| self.end(queued, Err(&problem)));
                return;
            }
        };
        for queued in batch {
            let (queue, app, deliverer) = (Arc::clone(self), Arc::clone(app), Arc::clone(deliverer));
            let inputs = Arc::clone(&inputs);
            running.spawn(async move {
                let QueuedMessage { message, is_redelivered, .. } = &queued;
                let message = message.clone();
                let check = DeliveryCheck { message, is_redelivered: *is_redelivered, may_be_dropped: false };
                let handled = deliverer.deliver_one(&app, &check, &inputs).await;
                queue.end(queued, handled.as_ref().copied());
            });
        }
    }

    /// Ends a delivery: queues it again if its message failed, and makes room for another of its route.
    fn end(&self, queued: QueuedMessage, handled: Result<(), &Problem>) {
        let QueuedMessage { number, message, tries, .. } = queued;
        let route = message.route.clone();
        match handled {
            Ok(()) => self.handled().push(number),
            Err(problem) => {
                let (delivery, code, cause) = (message.delivery.as_str(), problem.code.as_str(), problem.causes());
                let is_last = tries == MAX_TRIES;
                tracing::error!(
                    delivery,
                    code,
                    cause,
                    is_last,
                    "a message failed; it is delivered again, at the latest after a restart"
                );
                if !is_last {
                    let at = self.clock.now().plus_seconds(RETRY_AFTER_SECONDS << tries);
                    let message = Message { at, ..message };
                    self.messages().delay(QueuedMessage { number, message, is_redelivered: true, tries: tries + 1 });
                }
            }
        }
        self.messages().finish(&route);
        self.waiting.changed.notify_one();
    }

    /// Stores messages and deletes handled ones, in one write.
    async fn write(&self, messages: Vec<Message>) -> Result<(), BoxError> {
        let handled = mem::take(&mut *self.handled());
        let bodies = messages.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let (waiting, clock) = (Arc::clone(&self.waiting), Arc::clone(&self.clock));
        let written = move |numbers: Vec<MessageNumber>| {
            let mut queue = waiting.lock();
            for (number, message) in numbers.into_iter().zip(messages) {
                queue.add(QueuedMessage { number, message, is_redelivered: false, tries: 0 }, clock.now());
            }
            drop(queue);
            waiting.changed.notify_one();
        };
        if let Err(error) = self.database.write_messages(bodies, handled.clone(), written).await {
            self.handled().extend(handled);
            return Err(error.into());
        }
        Ok(())
    }

    /// If it fails, the next write tries it again.
    async fn delete_handled(&self) {
        if self.handled().is_empty() {
            return;
        }
        if let Err(error) = self.write(Vec::new()).await {
            tracing::error!(cause = causes(error.as_ref()), "handled messages can't be deleted");
        }
    }

    /// The next messages, up to this number, that are due and whose routes are below their limit; waits until there is
    /// one.
    async fn next(&self, room: usize) -> Vec<QueuedMessage> {
        loop {
            let changed = self.waiting.changed.notified();
            let now = self.clock.now();
            let wait = {
                let mut messages = self.messages();
                let wait = messages.release_due(now, Instant::now());
                let batch: Vec<_> = iter::from_fn(|| messages.take()).take(room.min(MAX_BATCH)).collect();
                if !batch.is_empty() {
                    return batch;
                }
                wait
            };
            match wait {
                // On timeout or wake-up, it checks again.
                Some(wait) => {
                    let _ = time::timeout(wait.min(CHECK_INTERVAL), changed).await;
                }
                None => changed.await,
            }
        }
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        self.waiting.lock()
    }

    fn handled(&self) -> MutexGuard<'_, Vec<MessageNumber>> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(cause = causes(&error), "a delivery panicked; the sweep finds it within an hour");
    }
}

impl Waiting {
    /// No code panics while it holds the lock, so the data of a poisoned lock is intact.
    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Messages {
    fn add(&mut self, queued: QueuedMessage, now: Timestamp) {
        if queued.message.at <= now {
            self.make_ready(queued);
        } else {
            self.delay(queued);
        }
    }

    fn delay(&mut self, queued: QueuedMessage) {
        self.count += 1;
        self.delayed.insert((queued.message.at, self.count), queued);
    }

    /// Makes due messages ready, unless some were a moment ago. Returns the time until the next ones are.
    fn release_due(&mut self, now: Timestamp, instant: Instant) -> Option<Duration> {
        if self.pause(instant).is_zero() {
            while let Some(first) = self.delayed.first_entry().filter(|first| first.key().0 <= now) {
                let queued = first.remove();
                self.make_ready(queued);
                self.released_at = Some(instant);
            }
        }
        let ((at, _), _) = self.delayed.first_key_value()?;
        Some(Duration::from_millis(at.millis_since(now)).max(self.pause(instant)))
    }

    fn pause(&self, instant: Instant) -> Duration {
        self.released_at.map_or(Duration::ZERO, |at| RELEASE_INTERVAL.saturating_sub(instant - at))
    }

    fn make_ready(&mut self, queued: QueuedMessage) {
        let ready = self.ready.entry(queued.message.route.clone()).or_default();
        if ready.is_empty() {
            self.turns.push_back(queued.message.route.clone());
        }
        ready.push_back(queued);
    }

    /// Takes a message of the first route below its limit, and moves the route behind the others.
    fn take(&mut self) -> Option<QueuedMessage> {
        let free = |route: &RouteId| self.running.get(route).is_none_or(|count| *count < MAX_RUNNING_PER_ROUTE);
        let at = self.turns.iter().position(free)?;
        let route = self.turns.remove(at)?;
        let ready = self.ready.get_mut(&route)?;
        let queued = ready.pop_front();
        if ready.is_empty() {
            self.ready.remove(&route);
        } else {
            self.turns.push_back(route.clone());
        }
        *self.running.entry(route).or_default() += 1;
        queued
    }

    fn finish(&mut self, route: &RouteId) {
        if let Some(count) = self.running.get_mut(route) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(route);
            }
        }
    }
}

impl Queue for LocalQueue {
    fn send(&self, messages: Vec<Message>) -> Sending<'_> {
        Box::pin(self.write(messages))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{DeliveryId, EventId, HookId, ids::ContentKey};

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn queued(route: u8, number: u8, millis: u64) -> QueuedMessage {
        let route = RouteId::new(at(0), [route; 10]);
        let event = EventId::new(at(0), ContentKey::digest(&HookId::new(at(0), [0; 10]), &[&[number]]));
        let delivery = DeliveryId::derive(&event, &route, None);
        let message = Message { delivery, route, at: at(millis), is_first: false };
        QueuedMessage { number: i64::from(number), message, is_redelivered: false, tries: 0 }
    }

    #[test]
    fn routes_take_turns_and_none_exceeds_its_limit_of_running_deliveries() {
        let mut messages = Messages::default();
        let slow: Vec<QueuedMessage> = (0..105).map(|number| queued(1, number, 0)).collect();
        let good: Vec<QueuedMessage> = (0..3).map(|number| queued(2, number, 0)).collect();
        for queued in slow.iter().chain(&good) {
            messages.delay(queued.clone());
        }
        messages.release_due(at(0), Instant::now());
        let taken: Vec<QueuedMessage> = iter::from_fn(|| messages.take()).collect();
        assert_eq!(taken[..6], [&slow[0], &good[0], &slow[1], &good[1], &slow[2], &good[2]].map(Clone::clone));
        assert_eq!(taken.len(), MAX_RUNNING_PER_ROUTE + good.len());
        messages.finish(&slow[0].message.route);
        assert_eq!(messages.take(), Some(slow[MAX_RUNNING_PER_ROUTE].clone()));
        assert_eq!(messages.take(), None);
    }

    #[test]
    fn delayed_messages_are_released_when_due_and_then_at_intervals() {
        let (mut messages, start) = (Messages::default(), Instant::now());
        let release = |messages: &mut Messages, millis: u64| {
            let wait = messages.release_due(at(millis), start + Duration::from_millis(millis));
            (iter::from_fn(|| messages.take()).collect::<Vec<_>>(), wait.map(|wait| wait.as_millis()))
        };
        let [first, second, third, last] = [10, 11, 200, 900].map(|millis| queued(1, 1, millis));
        for queued in [&last, &second, &first, &third] {
            messages.delay(queued.clone());
        }
        assert_eq!(release(&mut messages, 9), (vec![], Some(1)));
        assert_eq!(release(&mut messages, 10), (vec![first], Some(250)));
        assert_eq!(release(&mut messages, 100), (vec![], Some(160)));
        assert_eq!(release(&mut messages, 260), (vec![second, third], Some(640)));
        assert_eq!(release(&mut messages, 900), (vec![last], None));
        assert!(messages.delayed.is_empty() && messages.ready.is_empty() && messages.turns.is_empty());
    }

    #[test]
    fn a_message_that_is_due_when_it_comes_is_ready() {
        let mut messages = Messages { released_at: Some(Instant::now()), ..Messages::default() };
        let (due, delayed) = (queued(1, 1, 10), queued(1, 2, 11));
        for queued in [&delayed, &due] {
            messages.add(queued.clone(), at(10));
        }
        assert_eq!((messages.take(), messages.take()), (Some(due), None));
        assert_eq!(messages.delayed.len(), 1);
    }
}
