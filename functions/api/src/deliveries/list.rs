//! `GET /v1/deliveries`. Three ways lead to deliveries: an event leads to its own, the index of what is due to what waits,
//! the index of dead letters to these. All others are found through the events, newest first.

use flow::pending::LOST_AFTER_SECONDS;
use models::{DeliveryState, EventId, RouteId, StoredDelivery, Timestamp, delivery::DeliveryKey, event::EventKey};
use runtime::{
    App, Call, Problem, Reply,
    store::{
        Item, StoreError,
        deliveries::stored_delivery,
        list::{END, Entry, Page},
        routes::EventRoute,
        tables::DUE,
    },
};
use serde_json::value::{RawValue, to_raw_value};

/// Clocks of functions may be so far apart.
const SKEW_MILLIS: u64 = 60_000;

/// What is asked for.
struct Wanted {
    /// The route as it is now; none if it is gone, or any will do.
    route: Option<EventRoute>,
    id: Option<RouteId>,
    state: Option<DeliveryState>,
}

pub async fn list(app: &App, call: Call) -> Result<Reply, Problem> {
    let (id, event) = (call.query_id::<RouteId>("route")?, call.query_id::<EventId>("event")?);
    let (state, limit) = (state(&call)?, call.limit()?);
    // A cursor is bound to the filters, and they say which way its position is on.
    let position = call.position("deliveries")?;
    let mut wanted = Wanted { route: None, id, state };
    let page = match (event, state) {
        (Some(event), _) => {
            let walk = app.store.walk_event(&event, position);
            app.store.page_of_walk(walk, limit, |_| true, |item| wanted.show(item)).await?
        }
        (None, Some(DeliveryState::Dead)) => {
            let letters = app.store.dead_letters(position);
            app.store.page_of(letters, limit, |entry| wanted.takes(entry), |item| wanted.show(item)).await?
        }
        (None, Some(DeliveryState::Pending)) => wanted.find_route(app).await?.pending(app, limit, position).await?,
        (None, _) => {
            wanted.find_route(app).await?;
            let walk = app.store.walk_events(None, None, position).await?;
            app.store.page_of_walk(walk, limit, |key| wanted.may_have(key), |item| wanted.show(item)).await?
        }
    };
    Reply::page(page.items, call.cursor("deliveries", page.next))
}

fn state(call: &Call) -> Result<Option<DeliveryState>, Problem> {
    let Some(text) = call.query("state") else { return Ok(None) };
    let state = DeliveryState::parse(&text);
    state.map(Some).ok_or_else(|| Problem::invalid_query("state", "is not pending, succeeded, dead or skipped"))
}

/// Whether an entry of a list is of a delivery to this route, or to any if none is named.
pub fn is_to(entry: &Entry, route: Option<&RouteId>) -> bool {
    route.is_none_or(|route| DeliveryKey::parse(&entry.sort).is_some_and(|key| key.route == *route))
}

impl Wanted {
    async fn find_route(&mut self, app: &App) -> Result<&Self, StoreError> {
        if let Some(id) = &self.id {
            self.route = app.store.find(id.as_str()).await?;
        }
        Ok(self)
    }

    fn takes(&self, entry: &Entry) -> bool {
        is_to(entry, self.id.as_ref())
    }

    /// Whether an event may have deliveries to the route. What came before the route was last changed may have some by what
    /// the route was then.
    fn may_have(&self, event: &EventKey) -> bool {
        self.route.as_ref().is_none_or(|route| {
            let unchanged_since = Timestamp::from_millis(route.updated_at.millis() + SKEW_MILLIS);
            event.id.time() <= unchanged_since || route.may_be_for(event)
        })
    }

    fn is(&self, delivery: &StoredDelivery) -> bool {
        self.state.is_none_or(|state| delivery.state == state)
            && self.id.as_ref().is_none_or(|id| delivery.route == *id)
    }

    fn show(&self, item: Item) -> Result<Option<Box<RawValue>>, StoreError> {
        let delivery = stored_delivery(item)?;
        Ok(if self.is(&delivery) { Some(to_raw_value(&delivery.into_delivery())?) } else { None })
    }

    /// What waits is in the index of what is due. What has not been attempted yet and has its message in the queue is not,
    /// and is found through the events that came just now.
    async fn pending(&self, app: &App, limit: usize, position: Option<String>) -> Result<Page, StoreError> {
        let mut page = Page { items: Vec::new(), next: position };
        // The positions of that index begin with a time.
        if page.next.as_deref().is_none_or(|position| position.starts_with(|c: char| c.is_ascii_digit())) {
            let due = app.store.pending_deliveries(page.next);
            page = app.store.page_of(due, limit, |entry| self.takes(entry), |item| self.show(item)).await?;
            if page.next.is_some() {
                return Ok(page);
            }
            page.next = Some(END.to_owned());
        }
        let left = limit - page.items.len();
        if left > 0 {
            let since = Timestamp::from_millis(app.now().millis().saturating_sub(LOST_AFTER_SECONDS * 1000));
            let walk = app.store.walk_events(Some(since), None, page.next).await?;
            let show = |item: Item| if item.contains_key(DUE.key) { Ok(None) } else { self.show(item) };
            let rest = app.store.page_of_walk(walk, left, |key| self.may_have(key), show).await?;
            page.items.extend(rest.items);
            page.next = rest.next;
        }
        Ok(page)
    }
}
