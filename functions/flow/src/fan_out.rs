//! Fan-out: the routes that match an event, and a delivery for each.

use crate::route_cache::RouteCache;
use app::App;
use expression::{EventValues, Expression};
use models::{
    ReplayId, StoredDelivery, Timestamp,
    delivery::{DeliveryOrigin, DeliveryTimes},
    event::{EventKey, OpenEvent},
};
use std::sync::Arc;
use store::{StoreError, routes::EventRoute};

/// Compiled filters; none for a filter that can't be compiled.
pub type Filters = RouteCache<Option<Expression>>;

/// All routes and subscriptions.
#[derive(Default)]
pub struct Routes(Vec<LoadedRoute>);

struct LoadedRoute {
    route: EventRoute,
    is_active: bool,
    /// The filter of an active route.
    filter: Option<Arc<Option<Expression>>>,
}

impl Routes {
    pub async fn load(app: &App, filters: &Filters) -> Result<Self, StoreError> {
        let now = app.now();
        let load = |route: EventRoute| {
            let is_active = route.is_active(now);
            let filter = if is_active { compiled(&route, filters, now) } else { None };
            LoadedRoute { route, is_active, filter }
        };
        Ok(Self(app.store.readable_routes().await?.into_iter().map(load).collect()))
    }

    /// Routes, enabled or not, whose hook and event types fit the event. Their connection and filter are not checked.
    pub fn candidates(&self, event: &EventKey) -> impl Iterator<Item = &EventRoute> {
        self.0.iter().map(|loaded| &loaded.route).filter(|route| route.may_match(event))
    }

    /// Active routes that match an event and whose filters it passes.
    pub fn of(&self, event: &OpenEvent<'_>) -> Result<Vec<&EventRoute>, StoreError> {
        let mut read: Option<EventValues<'_>> = None;
        let mut matching = Vec::new();
        for LoadedRoute { route, is_active, filter } in &self.0 {
            if !is_active || !route.matches(&event.key, event.stored.connection.as_ref()) {
                continue;
            }
            if let Some(filter) = filter {
                let read = match &mut read {
                    Some(read) => read,
                    none => none.insert(EventValues::of(&event.envelope()?)),
                };
                if !filter.as_ref().as_ref().is_some_and(|filter| filter.matches(read)) {
                    continue;
                }
            }
            matching.push(route);
        }
        Ok(matching)
    }
}

fn compiled(route: &EventRoute, filters: &Filters, now: Timestamp) -> Option<Arc<Option<Expression>>> {
    let text = route.filter.as_ref()?;
    Some(filters.get(&route.id, route.version, now).unwrap_or_else(|| {
        let compiled = Expression::compile_stored(text);
        if let Err(bad) = &compiled {
            tracing::error!(
                route = route.id.as_str(),
                cause = bad.detail,
                "a route's filter can't be compiled; no event passes it"
            );
        }
        filters.put(route.id.clone(), route.version, compiled.ok(), now)
    }))
}

/// A delivery of an event to a route.
pub fn delivery(
    app: &App,
    event: &OpenEvent<'_>,
    route: &EventRoute,
    replay: Option<&ReplayId>,
    when: DeliveryTimes,
) -> StoredDelivery {
    // Deliveries of an event that is kept for good expire by their own time.
    let event_expires = event.stored.expires.unwrap_or(u64::MAX);
    let of = DeliveryOrigin { event: &event.key.id, event_expires, route: &route.id, replay };
    StoredDelivery::new(of, app.now(), when)
}
