//! What is made of a route once and used until the route changes.

use models::RouteId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Made things by route, each of the version of the route that it was made of.
pub struct ByVersion<T>(Mutex<HashMap<RouteId, (u64, Arc<T>)>>);

impl<T> Default for ByVersion<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> ByVersion<T> {
    pub fn get(&self, route: &RouteId, version: u64) -> Option<Arc<T>> {
        let entries = self.entries();
        entries.get(route).filter(|(of, _)| *of == version).map(|(_, made)| Arc::clone(made))
    }

    pub fn put(&self, route: RouteId, version: u64, made: T) -> Arc<T> {
        let made = Arc::new(made);
        self.entries().insert(route, (version, Arc::clone(&made)));
        made
    }

    /// Nothing that holds the lock can panic halfway, so a poisoned map is whole.
    fn entries(&self) -> MutexGuard<'_, HashMap<RouteId, (u64, Arc<T>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
