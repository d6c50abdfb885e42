//! Cache of values derived from a route: compiled filters, and targets with decrypted secrets.

use models::{RouteId, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Lifetime of an entry, so that no secret stays decrypted for long once its route or its key is gone.
const SECONDS: u64 = 300;
/// The cache is emptied at this number of entries, so that a process that serves many routes does not grow.
const MAX_ENTRIES: usize = 1_000;

/// Cached values by route, each for the version of the route that it was made from.
pub struct RouteCache<T>(Mutex<HashMap<RouteId, CachedEntry<T>>>);

struct CachedEntry<T> {
    version: u64,
    until: Timestamp,
    value: Arc<T>,
}

impl<T> Default for RouteCache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> RouteCache<T> {
    pub fn get(&self, route: &RouteId, version: u64, now: Timestamp) -> Option<Arc<T>> {
        let entries = self.entries();
        entries
            .get(route)
            .filter(|entry| entry.version == version && now < entry.until)
            .map(|entry| Arc::clone(&entry.value))
    }

    /// Caches a value, and drops expired ones, which may belong to deleted routes.
    pub fn put(&self, route: RouteId, version: u64, value: T, now: Timestamp) -> Arc<T> {
        let value = Arc::new(value);
        let mut entries = self.entries();
        entries.retain(|_, entry| now < entry.until);
        if entries.len() >= MAX_ENTRIES {
            entries.clear();
        }
        entries.insert(route, CachedEntry { version, until: now.plus_seconds(SECONDS), value: Arc::clone(&value) });
        value
    }

    /// No code panics while it holds the lock, so the map of a poisoned lock is intact.
    fn entries(&self) -> MutexGuard<'_, HashMap<RouteId, CachedEntry<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn route(number: u32) -> RouteId {
        let mut random = [0; 10];
        random[..4].copy_from_slice(&number.to_be_bytes());
        RouteId::new(NOW, random)
    }

    #[test]
    fn a_value_is_cached_for_its_version_for_five_minutes() {
        let kept = RouteCache::default();
        kept.put(route(1), 7, "seven", NOW);
        let get = |version, seconds| kept.get(&route(1), version, NOW.plus_seconds(seconds)).map(|value| *value);
        assert_eq!([get(7, 0), get(7, 299), get(7, 300)], [Some("seven"), Some("seven"), None]);
        assert_eq!([get(6, 0), get(8, 0)], [None, None]);
    }

    #[test]
    fn a_deleted_routes_secrets_are_evicted_by_age() {
        let kept = RouteCache::default();
        let secret = Arc::downgrade(&kept.put(route(1), 1, "secret", NOW));
        kept.put(route(2), 1, "other", NOW.plus_seconds(299));
        assert!(secret.upgrade().is_some());
        kept.put(route(2), 2, "other", NOW.plus_seconds(300));
        assert!(secret.upgrade().is_none());
    }

    #[test]
    fn the_cache_has_a_maximum_size() {
        let kept = RouteCache::default();
        for number in 0..2_500 {
            kept.put(route(number), 1, number, NOW);
            assert!(kept.entries().len() <= MAX_ENTRIES);
        }
        assert_eq!(kept.get(&route(2_499), 1, NOW).as_deref(), Some(&2_499));
    }
}
