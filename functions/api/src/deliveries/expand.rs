//! `expand=event` of the list of deliveries: the type and the person of each delivery's event.

use app::App;
use models::{EventId, StoredEvent, causes, delivery::Delivery, subscriber::PersonSummary};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::{BTreeSet, HashMap};
use web::Problem;

/// A delivery in a list.
#[derive(Serialize, JsonSchema)]
pub struct ListedDelivery {
    #[serde(flatten)]
    delivery: Delivery,
    #[serde(flatten)]
    event: Option<DeliveredEvent>,
}

/// The event of a delivery, with `expand=event`.
#[derive(Clone, Default, Serialize, JsonSchema)]
struct DeliveredEvent {
    /// The event's type; null once the event has expired.
    event_type: Option<String>,
    /// The event's person; null if the event has none, has expired, or the person was erased.
    subscriber: Option<PersonSummary>,
}

/// Adds their events to the deliveries of a page. The placeholder of an unreadable delivery stays as it is.
pub async fn expand(app: &App, items: Vec<Box<RawValue>>) -> Result<Vec<Box<RawValue>>, Problem> {
    let deliveries: Vec<Option<Delivery>> = items.iter().map(|item| serde_json::from_str(item.get()).ok()).collect();
    let ids: BTreeSet<EventId> = deliveries.iter().flatten().map(|delivery| delivery.event.clone()).collect();
    let events: HashMap<EventId, DeliveredEvent> =
        app.store.events_by_id(&ids).await?.into_iter().map(|(id, event)| (id, DeliveredEvent::of(&event))).collect();
    let with_event = |(item, delivery): (Box<RawValue>, Option<Delivery>)| match delivery {
        Some(delivery) => {
            let event = events.get(&delivery.event).cloned().unwrap_or_default();
            to_raw_value(&ListedDelivery { delivery, event: Some(event) }).map_err(Problem::internal)
        }
        None => Ok(item),
    };
    items.into_iter().zip(deliveries).map(with_event).collect()
}

impl DeliveredEvent {
    /// An event that can't be read has a type, but no person.
    fn of(event: &StoredEvent) -> Self {
        let event_type = event.key().ok().map(|key| key.event_type);
        let subscriber = match event.open() {
            Ok(opened) => opened.person_summary(),
            Err(error) => {
                tracing::error!(item = event.pk, cause = causes(&error), "an event can't be read");
                None
            }
        };
        Self { event_type, subscriber }
    }
}
