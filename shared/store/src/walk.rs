//! The deliveries of all events, newest event first. They are in no index by time: the events are, and each has its
//! deliveries under its id.

use super::{
    Item, Store, StoreError,
    list::{END, Entries, MAX_ENTRIES, MAX_PAGE_BYTES, MAX_READ, Page, shown_or_id},
    text, text_of,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use models::{DeliveryId, EventId, Timestamp, event::EventKey};
use serde_json::value::RawValue;
use std::collections::VecDeque;

/// How many events' deliveries are read at once.
const CONCURRENCY: usize = 16;
/// How many deliveries of an event are read at once.
const PER_EVENT: i32 = 50;
/// About how many events are looked at in most cases.
const ABOUT: usize = 40;

/// A way through deliveries.
pub struct Walk<'a> {
    store: &'a Store,
    /// The events that are still to be looked at; none on the way through one event.
    events: Option<Entries<'a>>,
    /// The events whose deliveries are read next.
    open: VecDeque<Place>,
    /// The last that is behind: an event or a delivery, by its id.
    position: String,
    /// How many events were looked at, and of how many the deliveries were read.
    seen: usize,
    read: usize,
}

/// An event whose deliveries are ahead, up to one that is behind.
struct Place {
    event: EventId,
    until: String,
}

/// Some of an event's deliveries.
struct Part {
    items: Vec<Item>,
    has_more: bool,
}

impl Store {
    /// A way through the deliveries of an event, from a position on.
    pub fn walk_event(&self, event: &EventId, position: Option<String>) -> Walk<'_> {
        let position = position.unwrap_or_else(|| END.to_owned());
        let place = Place { event: event.clone(), until: position.clone() };
        Walk { store: self, events: None, open: VecDeque::from([place]), position, seen: 0, read: 0 }
    }

    /// A way through the deliveries of the events after and before an instant, from a position on.
    pub async fn walk_events(
        &self,
        after: Option<Timestamp>,
        before: Option<Timestamp>,
        position: Option<String>,
    ) -> Result<Walk<'_>, StoreError> {
        let delivery = position.as_deref().and_then(|position| position.parse::<DeliveryId>().ok());
        let open = delivery.map(|delivery| Place { event: delivery.event(), until: delivery.to_string() });
        // An event's sort key begins with its id, so whatever is before the id is another's.
        let until = open.as_ref().map_or_else(|| position.clone(), |place| Some(place.event.to_string()));
        let events = self.entries(self.events(after, before, until), ABOUT).await?;
        let position = position.unwrap_or_else(|| END.to_owned());
        Ok(Walk { store: self, events: Some(events), open: open.into_iter().collect(), position, seen: 0, read: 0 })
    }

    /// A page of deliveries: those of the events that `is_wanted` takes, of which `show` makes JSON.
    pub async fn page_of_walk(
        &self,
        mut walk: Walk<'_>,
        limit: usize,
        is_wanted: impl Fn(&EventKey) -> bool,
        show: impl Fn(Item) -> Result<Option<Box<RawValue>>, StoreError>,
    ) -> Result<Page, StoreError> {
        let (mut page, mut bytes) = (Page::default(), 0);
        while let Some(items) = walk.next(limit - page.items.len(), &is_wanted).await? {
            let count = items.len();
            for (number, item) in (1..).zip(items) {
                let id = text_of(&item, "sk").to_owned();
                let Some(json) = shown_or_id(show(item), || Some(id.clone())) else { continue };
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

impl Walk<'_> {
    /// The deliveries of so many more of the events that are wanted, at most; it may be none. Nothing at the end.
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
        let parts: Vec<Part> = stream::iter(parts).buffered(CONCURRENCY).try_collect().await?;
        self.read += parts.len();
        let mut items = Vec::new();
        for Part { items: read, has_more } in parts {
            let last = read.last().map(|item| text_of(item, "sk").to_owned());
            items.extend(read);
            match (self.open.front_mut(), last) {
                (Some(place), Some(last)) if has_more => {
                    self.position.clone_from(&last);
                    place.until = last;
                    // What was read of the events behind it is read again in its turn.
                    break;
                }
                _ => self.position = self.open.pop_front().map(|place| place.event.to_string()).unwrap_or_default(),
            }
        }
        Ok(Some(items))
    }

    /// Where another walk goes on; none if this one has come to the end.
    pub async fn position(mut self) -> Result<Option<String>, StoreError> {
        Ok(if self.is_at_its_end().await? { None } else { Some(self.position) })
    }

    /// Looks for events that are wanted, until so many are open.
    async fn look(&mut self, count: usize, is_wanted: impl Fn(&EventKey) -> bool) -> Result<(), StoreError> {
        let Some(events) = &mut self.events else { return Ok(()) };
        for _ in 0..MAX_ENTRIES {
            if self.open.len() >= count {
                break;
            }
            let Some(entry) = events.next().await? else { break };
            self.seen += 1;
            match EventKey::parse(&entry.sort).filter(&is_wanted) {
                Some(key) => self.open.push_back(Place { event: key.id, until: END.to_owned() }),
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

async fn part(store: &Store, place: &Place) -> Result<Part, StoreError> {
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
    Ok(Part { items: queried.items.unwrap_or_default(), has_more: queried.last_evaluated_key.is_some() })
}
