//! In-memory cache of records in a warm process. Misses are never cached, so a new record is found immediately.

use crate::Timestamp;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A cache whose entries last `SECONDS`. It is emptied at `MAX_ENTRIES` entries, so a process that serves many hooks does not
/// grow.
pub struct Cache<K, V, const SECONDS: u64 = 60, const MAX_ENTRIES: usize = 10_000>(Mutex<HashMap<K, (Timestamp, V)>>);

impl<K, V, const SECONDS: u64, const MAX_ENTRIES: usize> Default for Cache<K, V, SECONDS, MAX_ENTRIES> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V: Clone, const SECONDS: u64, const MAX_ENTRIES: usize> Cache<K, V, SECONDS, MAX_ENTRIES> {
    pub fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let entries = self.entries();
        let (until, value) = entries.get(key)?;
        (now < *until).then(|| value.clone())
    }

    pub fn put(&self, key: K, value: V, now: Timestamp) {
        let mut entries = self.entries();
        if entries.len() >= MAX_ENTRIES {
            entries.clear();
        }
        entries.insert(key, (now.plus_seconds(SECONDS), value));
    }

    /// Removes an entry that this process has changed. Other processes see the change once their entry expires.
    pub fn forget(&self, key: &K) {
        self.entries().remove(key);
    }

    /// No code panics while it holds the lock, so the map of a poisoned lock is intact.
    fn entries(&self) -> MutexGuard<'_, HashMap<K, (Timestamp, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_lasts_a_minute() {
        let cache: Cache<_, _> = Cache::default();
        let now = Timestamp::from_millis(1_000);
        assert_eq!(cache.get(&1, now), None);
        cache.put(1, "one", now);
        assert_eq!(cache.get(&1, now.plus_seconds(59)), Some("one"));
        assert_eq!(cache.get(&1, now.plus_seconds(60)), None);
        cache.forget(&1);
        assert_eq!(cache.get(&1, now), None);
    }

    #[test]
    fn a_full_cache_is_emptied() {
        let (cache, now) = (Cache::<_, _, 60, 3>::default(), Timestamp::from_millis(1_000));
        for key in 1..=4 {
            cache.put(key, key, now);
        }
        assert_eq!([1, 2, 3, 4].map(|key| cache.get(&key, now)), [None, None, None, Some(4)]);
    }
}
