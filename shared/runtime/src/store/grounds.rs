//! What deliveries are attempted by, read at once for several: their events, their routes and the health of these.

use super::{
    Item, Store, StoreError, batch_get::Key, control::Controlled, deliveries::stored_delivery, from_item,
    health::RouteHealth, routes::EventRoute, text_of,
};
use models::{DeliveryId, EventId, RouteId, StoredDelivery, StoredEvent};
use serde::de::DeserializeOwned;
use std::{collections::HashMap, sync::Arc};

/// What was read, or why it can't be.
type Read<T> = Result<Arc<T>, Arc<StoreError>>;

/// As it was when it was read: each route once, however many deliveries it has.
pub struct Grounds {
    /// By the key that they are stored under.
    events: HashMap<String, Read<StoredEvent>>,
    routes: HashMap<String, Read<EventRoute>>,
    healths: HashMap<String, Read<RouteHealth>>,
}

impl Store {
    /// Reads deliveries, at most 100. Those that are not there are left out.
    pub async fn deliveries_by_id(
        &self,
        ids: impl IntoIterator<Item = &DeliveryId>,
    ) -> Result<HashMap<String, Result<StoredDelivery, StoreError>>, StoreError> {
        let keys = ids.into_iter().map(delivery_key).collect();
        let items = self.get_all(&self.tables.deliveries, keys).await?;
        Ok(items.into_iter().map(|item| (text_of(&item, "sk").to_owned(), stored_delivery(item))).collect())
    }

    /// Reads what deliveries are attempted by, of at most 33.
    pub async fn grounds(&self, deliveries: impl IntoIterator<Item = &StoredDelivery>) -> Result<Grounds, StoreError> {
        let (mut events, mut control) = (Vec::new(), Vec::new());
        for delivery in deliveries {
            events.push(Key::of(delivery.event.key().to_string()));
            control.extend([EventRoute::KIND, RouteHealth::KIND].map(|kind| Key::with(kind, delivery.route.as_str())));
        }
        let wanted = vec![(self.tables.events.as_str(), events), (self.tables.control.as_str(), control)];
        let mut items = self.get_all_of(wanted).await?;
        let mut of = |table: &str| items.remove(table).unwrap_or_default();
        let (events, control) = (of(&self.tables.events), of(&self.tables.control));
        let (routes, healths) = control.into_iter().partition(|item| text_of(item, "pk") == EventRoute::KIND);
        Ok(Grounds { events: read(events, "pk"), routes: read(routes, "sk"), healths: read(healths, "sk") })
    }

    /// A delivery's event: as it was read with the others, or from where it is since a later one took its key.
    pub async fn event_of(&self, grounds: &Grounds, id: &EventId) -> Result<Option<Arc<StoredEvent>>, StoreError> {
        if let Some(event) = found(&grounds.events, &id.key().to_string())?
            && event.key()?.id == *id
        {
            return Ok(Some(event));
        }
        let moved = self.get(&self.tables.events, id.as_str()).await?;
        Ok(moved.map(from_item).transpose()?.map(Arc::new))
    }
}

impl Grounds {
    pub fn route(&self, id: &RouteId) -> Result<Option<Arc<EventRoute>>, StoreError> {
        found(&self.routes, id.as_str())
    }

    pub fn health(&self, id: &RouteId) -> Result<Option<RouteHealth>, StoreError> {
        Ok(found(&self.healths, id.as_str())?.map(|health| RouteHealth::clone(&health)))
    }
}

/// The key of a delivery in its table.
fn delivery_key(id: &DeliveryId) -> Key {
    Key::with(id.event(), id.as_str())
}

fn read<T: DeserializeOwned>(items: Vec<Item>, key: &str) -> HashMap<String, Read<T>> {
    let read = |item: Item| (text_of(&item, key).to_owned(), from_item(item).map(Arc::new).map_err(Arc::new));
    items.into_iter().map(read).collect()
}

/// What was read under a key. One that can't be read is a fault of each that needs it.
fn found<T>(all: &HashMap<String, Read<T>>, key: &str) -> Result<Option<Arc<T>>, StoreError> {
    match all.get(key) {
        None => Ok(None),
        Some(Ok(one)) => Ok(Some(Arc::clone(one))),
        Some(Err(error)) => Err(StoreError::Malformed(Box::new(Arc::clone(error)))),
    }
}
