//! What a warm process remembers for a minute. Misses are never kept: what was just made is found at once.

use models::Timestamp;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

const SECONDS: u64 = 60;
/// So that a process that serves many hooks does not grow: a full cache starts over.
const MOST: usize = 10_000;

pub struct Cache<K, V>(Mutex<HashMap<K, (Timestamp, V)>>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    pub fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let entries = self.entries();
        let (until, value) = entries.get(key)?;
        (now < *until).then(|| value.clone())
    }

    pub fn put(&self, key: K, value: V, now: Timestamp) {
        let mut entries = self.entries();
        if entries.len() >= MOST {
            entries.clear();
        }
        entries.insert(key, (now.plus_seconds(SECONDS), value));
    }

    /// Forgets an entry that this process has changed. Others notice within a minute.
    pub fn forget(&self, key: &K) {
        self.entries().remove(key);
    }

    /// Nothing that holds the lock can panic halfway, so a poisoned map is whole.
    fn entries(&self) -> MutexGuard<'_, HashMap<K, (Timestamp, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_lasts_a_minute() {
        let cache = Cache::default();
        let now = Timestamp::from_millis(1_000);
        assert_eq!(cache.get(&1, now), None);
        cache.put(1, "one", now);
        assert_eq!(cache.get(&1, now.plus_seconds(59)), Some("one"));
        assert_eq!(cache.get(&1, now.plus_seconds(60)), None);
        cache.forget(&1);
        assert_eq!(cache.get(&1, now), None);
    }
}
