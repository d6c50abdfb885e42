//! Batch read of everything that a batch of deliveries needs: the deliveries, their events, routes, and the routes'
//! health.

use super::{
    Item, Store, StoreError,
    batch_get::{Key, TableKeys},
    control::Controlled,
    deliveries::stored_delivery,
    from_item,
    health::RouteHealth,
    routes::EventRoute,
    text_of,
};
use bytes::Bytes;
use models::{DeliveryId, EventId, RouteId, StoredDelivery, StoredEvent, delivery::Message};
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

/// An item, or the reason why it can't be read.
type Read<T> = Result<Arc<T>, Arc<StoreError>>;

/// An event of a batch. The deliveries that send it whole share its JSON.
pub struct SharedEvent {
    pub stored: StoredEvent,
    json: OnceLock<Bytes>,
}

/// Items read for a batch of deliveries. Each route is read once, however many deliveries it has.
pub struct DeliveryInputs {
    /// By sort key.
    deliveries: HashMap<String, Read<StoredDelivery>>,
    events: HashMap<String, Read<SharedEvent>>,
    routes: HashMap<String, Read<EventRoute>>,
    healths: HashMap<String, Read<RouteHealth>>,
}

impl Store {
    /// Reads the items that these messages need, at most 25 messages.
    pub async fn load_delivery_inputs(
        &self,
        messages: impl IntoIterator<Item = &Message>,
    ) -> Result<DeliveryInputs, StoreError> {
        let (mut deliveries, mut events, mut control) = (Vec::new(), Vec::new(), Vec::new());
        let mut are_first = true;
        for message in messages {
            deliveries.push(Key::with(message.delivery.event(), message.delivery.as_str()));
            events.push(Key::of(message.delivery.event().key().to_string()));
            control.extend([EventRoute::KIND, RouteHealth::KIND].map(|kind| Key::with(kind, message.route.as_str())));
            are_first &= message.is_first;
        }
        let tables = &self.tables;
        let mut items = self
            .get_all_of([
                // A first attempt is written on condition that no other was. Any other attempt needs the latest state.
                TableKeys { table: &tables.deliveries, keys: deliveries, is_consistent: !are_first },
                // An event is older than its deliveries. If it is not found, it is read again with strong consistency.
                TableKeys { table: &tables.events, keys: events, is_consistent: false },
                TableKeys { table: &tables.control, keys: control, is_consistent: true },
            ])
            .await?;
        let mut of = |table: &str| items.remove(table).unwrap_or_default();
        let (deliveries, events, control) = (of(&tables.deliveries), of(&tables.events), of(&tables.control));
        let (routes, healths) = control.into_iter().partition(|item| text_of(item, "pk") == EventRoute::KIND);
        Ok(DeliveryInputs {
            deliveries: read(deliveries, "sk", stored_delivery),
            events: read(events, "pk", |item| from_item(item).map(SharedEvent::new)),
            routes: read(routes, "sk", from_item),
            healths: read(healths, "sk", from_item),
        })
    }

    /// A delivery's event: from the batch, or from its own id if a later event has taken its key.
    pub async fn event_of(
        &self,
        inputs: &DeliveryInputs,
        id: &EventId,
    ) -> Result<Option<Arc<SharedEvent>>, StoreError> {
        if let Some(event) = found(&inputs.events, &id.key().to_string())?
            && event.stored.key()?.id == *id
        {
            return Ok(Some(event));
        }
        Ok(self.event(id).await?.map(SharedEvent::new).map(Arc::new))
    }
}

impl SharedEvent {
    fn new(stored: StoredEvent) -> Self {
        Self { stored, json: OnceLock::new() }
    }

    /// The event as a CloudEvent, for all deliveries that send it.
    pub fn json(&self) -> Result<Bytes, StoreError> {
        if let Some(json) = self.json.get() {
            return Ok(json.clone());
        }
        let json = Bytes::from(Box::<str>::from(self.stored.open()?.envelope()?.shown()?).into_boxed_bytes());
        Ok(self.json.get_or_init(|| json).clone())
    }
}

impl DeliveryInputs {
    pub fn delivery(&self, id: &DeliveryId) -> Result<Option<Arc<StoredDelivery>>, StoreError> {
        found(&self.deliveries, id.as_str())
    }

    pub fn route(&self, id: &RouteId) -> Result<Option<Arc<EventRoute>>, StoreError> {
        found(&self.routes, id.as_str())
    }

    pub fn health(&self, id: &RouteId) -> Result<Option<RouteHealth>, StoreError> {
        Ok(found(&self.healths, id.as_str())?.map(|health| RouteHealth::clone(&health)))
    }
}

fn read<T>(items: Vec<Item>, key: &str, of: impl Fn(Item) -> Result<T, StoreError>) -> HashMap<String, Read<T>> {
    let read = |item: Item| (text_of(&item, key).to_owned(), of(item).map(Arc::new).map_err(Arc::new));
    items.into_iter().map(read).collect()
}

/// An item by its key. An unreadable one is an error for each delivery that needs it.
fn found<T>(all: &HashMap<String, Read<T>>, key: &str) -> Result<Option<Arc<T>>, StoreError> {
    match all.get(key) {
        None => Ok(None),
        Some(Ok(one)) => Ok(Some(Arc::clone(one))),
        Some(Err(error)) => Err(StoreError::Malformed(Box::new(Arc::clone(error)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{
        Timestamp,
        ids::ContentKey,
        own_event::{ROUTE_FAILING, RouteEvent},
    };
    use serde_json::{Map, Value};

    #[test]
    fn the_deliveries_of_an_event_share_its_json() {
        let at = Timestamp::from_millis(1_767_225_600_000);
        let route = RouteId::new(at, [1; 10]);
        let of = RouteEvent { route: &route, event_type: ROUTE_FAILING, data: Map::new(), expires: at };
        let event = SharedEvent::new(StoredEvent::of_route(at, ContentKey::of_route(&route, &[b"1"]), of));
        let [first, second] = [event.json().unwrap(), event.json().unwrap()];
        assert_eq!(first.as_ptr(), second.as_ptr());
        let shown: Value = serde_json::from_slice(&first).unwrap();
        assert_eq!(shown["type"], ROUTE_FAILING);
    }
}
