//! Walk through the deliveries of all events, newest event first. No index has deliveries by time, so the walk goes
//! through the index of events, and reads each event's deliveries.

use super::{
    Item, Store, StoreError,
    list::{Entries, HIGHEST_SORT_KEY, MAX_ENTRIES, MAX_PAGE_BYTES, MAX_READ, Page, json_or_stub},
    text, text_of,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use models::{DeliveryId, EventId, Timestamp, event::EventKey};
use serde_json::value::RawValue;
use std::collections::VecDeque;

/// Number of events whose deliveries are read concurrently.
const CONCURRENCY: usize = 16;
/// Maximum number of deliveries that one query reads. Each query reads those of one event.
const PER_EVENT: i32 = 50;
/// Number of events that a walk is expected to read, which sets the size of its index queries.
const EXPECTED_EVENTS: usize = 40;

/// An iteration through deliveries.
pub struct DeliveryWalk<'a> {
    store: &'a Store,
    /// The events to come; none in a walk of a single event.
    events: Option<Entries<'a>>,
    /// The events whose deliveries are read next.
    open: VecDeque<EventPosition>,
    /// Position of the walk: the id of the last finished event or delivery.
    position: String,
    /// Numbers of events that were checked, and of events whose deliveries were read.
    seen: usize,
    read: usize,
}

/// An event with its deliveries to come, up to a finished one.
struct EventPosition {
    event: EventId,
    until: String,
}

/// A part of an event's deliveries.
struct DeliveryPage {
    items: Vec<Item>,
    has_more: bool,
}

impl Store {
    /// Walks through the deliveries of an event, from a position on.
    pub fn walk_event(&self, event: &EventId, position: Option<String>) -> DeliveryWalk<'_> {
        let position = position.unwrap_or_else(|| HIGHEST_SORT_KEY.to_owned());
        let place = EventPosition { event: event.clone(), until: position.clone() };
        DeliveryWalk { store: self, events: None, open: VecDeque::from([place]), position, seen: 0, read: 0 }
    }

    /// Walks through the deliveries of the events after and before an instant, from a position on.
    pub async fn walk_events(
        &self,
        after: Option<Timestamp>,
        before: Option<Timestamp>,
        position: Option<String>,
    ) -> Result<DeliveryWalk<'_>, StoreError> {
        let delivery = position.as_deref().and_then(|position| position.parse::<DeliveryId>().ok());
        let open = delivery.map(|delivery| EventPosition { event: delivery.event(), until: delivery.to_string() });
        // An event's sort key begins with its id, so entries before the id belong to other events.
        let until = open.as_ref().map_or_else(|| position.clone(), |place| Some(place.event.to_string()));
        let events = self.entries(self.events(after, before, until), EXPECTED_EVENTS).await?;
        let position = position.unwrap_or_else(|| HIGHEST_SORT_KEY.to_owned());
        Ok(DeliveryWalk {
            store: self,
            events: Some(events),
            open: open.into_iter().collect(),
            position,
            seen: 0,
            read: 0,
        })
    }

    /// A page of a walk: deliveries of the events that pass `is_wanted`, converted to JSON by `show`, or skipped.
    pub async fn page_of_walk(
        &self,
        mut walk: DeliveryWalk<'_>,
        limit: usize,
        is_wanted: impl Fn(&EventKey) -> bool,
        show: impl Fn(Item) -> Result<Option<Box<RawValue>>, StoreError>,
    ) -> Result<Page, StoreError> {
        let (mut page, mut bytes) = (Page::default(), 0);
        while let Some(items) = walk.next(limit - page.items.len(), &is_wanted).await? {
            let count = items.len();
            for (number, item) in (1..).zip(items) {
                let id = text_of(&item, "sk").to_owned();
                let Some(json) = json_or_stub(show(item), || Some(id.clone())) else { continue };
                bytes += json.get().len();
                if bytes > MAX_PAGE_BYTES && !page.items.is_empty() {
                    return Ok(page);
                }
                page.items.push(json);
                page.next = Some(id);
                if page.items.len() >= limit {
                    if number == count && walk.is_at_its_end().await? {
                        page.next = None;
                    }
                    return Ok(page);
                }
            }
            page.next = Some(walk.position.clone());
            if walk.read >= MAX_READ || walk.seen >= MAX_ENTRIES {
                return Ok(page);
            }
        }
        page.next = None;
        Ok(page)
    }
}

impl DeliveryWalk<'_> {
    /// The deliveries of up to `events` more events that pass `is_wanted`, possibly none. None at the end of the walk.
    pub async fn next(
        &mut self,
        events: usize,
        is_wanted: impl Fn(&EventKey) -> bool,
    ) -> Result<Option<Vec<Item>>, StoreError> {
        if self.is_at_its_end().await? {
            return Ok(None);
        }
        self.look(events, is_wanted).await?;
        let store = self.store;
        let parts: Vec<_> = self.open.iter().take(events).map(|place| part(store, place)).collect();
        let parts: Vec<DeliveryPage> = stream::iter(parts).buffered(CONCURRENCY).try_collect().await?;
        self.read += parts.len();
        let mut items = Vec::new();
        for DeliveryPage { items: read, has_more } in parts {
            let last = read.last().map(|item| text_of(item, "sk").to_owned());
            items.extend(read);
            match (self.open.front_mut(), last) {
                (Some(place), Some(last)) if has_more => {
                    self.position.clone_from(&last);
                    place.until = last;
                    // The parts of the events after this one are read again in the next step.
                    break;
                }
                _ => self.position = self.open.pop_front().map(|place| place.event.to_string()).unwrap_or_default(),
            }
        }
        Ok(Some(items))
    }

    /// Start position of another walk; none if this one is finished.
    pub async fn position(mut self) -> Result<Option<String>, StoreError> {
        Ok(if self.is_at_its_end().await? { None } else { Some(self.position) })
    }

    /// Opens further events that pass `is_wanted`, up to a number of open ones.
    async fn look(&mut self, count: usize, is_wanted: impl Fn(&EventKey) -> bool) -> Result<(), StoreError> {
        let Some(events) = &mut self.events else { return Ok(()) };
        for _ in 0..MAX_ENTRIES {
            if self.open.len() >= count {
                break;
            }
            let Some(entry) = events.next().await? else { break };
            self.seen += 1;
            match EventKey::parse(&entry.sort).filter(&is_wanted) {
                Some(key) => self.open.push_back(EventPosition { event: key.id, until: HIGHEST_SORT_KEY.to_owned() }),
                None if self.open.is_empty() => self.position = entry.sort,
                None => {}
            }
        }
        Ok(())
    }

    async fn is_at_its_end(&mut self) -> Result<bool, StoreError> {
        Ok(self.open.is_empty()
            && match &mut self.events {
                Some(events) => events.peek().await?.is_none(),
                None => true,
            })
    }
}

async fn part(store: &Store, place: &EventPosition) -> Result<DeliveryPage, StoreError> {
    let queried = store
        .client
        .query()
        .table_name(&store.tables.deliveries)
        .consistent_read(true)
        .key_condition_expression("pk = :event AND sk < :until")
        .expression_attribute_values(":event", text(place.event.as_str()))
        .expression_attribute_values(":until", text(&place.until))
        .scan_index_forward(false)
        .limit(PER_EVENT)
        .send()
        .await?;
    Ok(DeliveryPage { items: queried.items.unwrap_or_default(), has_more: queried.last_evaluated_key.is_some() })
}
