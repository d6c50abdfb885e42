//! Subscribers: the people in events; listed, read, erased.

mod by_platform_id;
mod erase;
mod mentions;

use crate::{CURSOR, LIMIT, READ};
use app::{App, Function, Route};
use http::StatusCode;
use models::{
    Subscriber, SubscriberId,
    records::{RecordKind, StoredSubscriber},
};
use serde_json::value::{RawValue, to_raw_value};
use store::{
    Item, StoreError, from_item,
    list::{Entry, HIGHEST_SORT_KEY},
    text_of,
};
use web::{Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

pub static FUNCTION: Function =
    Function { name: "api-subscribers", routes: &[LIST, GET, erase::ROUTE], direct: None, settings: Vec::new };

const LIST_QUERY: &[Query] = &[
    Query {
        name: "platform",
        description: "Only subscribers of this platform.",
        value: QueryValue::OneOf(registry::NAMES),
    },
    Query { name: "tag", description: "Only subscribers with this tag.", value: QueryValue::Text },
    Query {
        name: "platform_id",
        description: "Only subscribers with this id at the platform: at most one per connection, those of the newest connection first.",
        value: QueryValue::Text,
    },
    LIMIT,
    CURSOR,
];

pub const LIST: Route =
    Route::get("/v1/subscribers", READ, "List subscribers, the most recently first seen first", |app, request| {
        Box::pin(list(app, request))
    })
    .with_query(LIST_QUERY)
    .answers_with(StatusCode::OK, crate::page_of_any::<Subscriber>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let filter = SubscriberFilter::read(&request)?;
    let (limit, position) = (request.limit()?, request.position("subscribers")?);
    let page = match request.query("platform_id") {
        Some(platform_id) => by_platform_id::page(app, &filter, &platform_id, limit, position).await?,
        None => {
            let until = position.unwrap_or_else(|| HIGHEST_SORT_KEY.to_owned());
            let listing = app.store.records(RecordKind::Subscriber, "!".to_owned(), until);
            let keep = |entry: &Entry| entry.sort.rsplit(' ').next().is_some_and(|name| filter.has_platform(name));
            let id = |entry: &Entry| entry.pk.parse().ok().and_then(|id| filter.stub(&id));
            app.store.page_of(listing, limit, keep, id, |item| filter.show(item)).await?
        }
    };
    respond::page(page.items, request.cursor("subscribers", page.next))
}

/// The filters of a list, except those that decide where it is read.
struct SubscriberFilter {
    platform: Option<String>,
    tag: Option<String>,
}

impl SubscriberFilter {
    fn read(request: &Request) -> Result<Self, Problem> {
        let (platform, tag) = (request.query("platform"), request.query("tag"));
        if platform.as_deref().is_some_and(|name| !registry::NAMES.contains(&name)) {
            return Err(Problem::invalid_query("platform", "must be a platform of the catalogue"));
        }
        Ok(Self { platform, tag })
    }

    fn has_platform(&self, platform: &str) -> bool {
        self.platform.as_deref().is_none_or(|name| name == platform)
    }

    /// A stored subscriber as JSON; none if it was erased or is not wanted.
    fn show(&self, item: Item) -> Result<Option<Box<RawValue>>, StoreError> {
        let Ok(id) = text_of(&item, "pk").parse::<SubscriberId>() else { return Ok(None) };
        let Some(profile) = from_item::<StoredSubscriber>(item)?.open()? else { return Ok(None) };
        let subscriber = profile.into_subscriber(id);
        let is_wanted = self.tag.as_ref().is_none_or(|tag| subscriber.tags.contains(tag));
        Ok(if is_wanted { Some(to_raw_value(&subscriber)?) } else { None })
    }

    /// The id that stands for an unreadable subscriber; none if its tags matter.
    fn stub(&self, id: &SubscriberId) -> Option<String> {
        self.tag.is_none().then(|| id.to_string())
    }
}

pub const GET: Route =
    Route::get("/v1/subscribers/{id}", READ, "Get a subscriber", |app, request| Box::pin(get(app, request)))
        .answers_with(StatusCode::OK, crate::schema_or_id::<Subscriber>);

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let id: SubscriberId = request.id("subscriber")?;
    let show = |stored: StoredSubscriber| {
        let subscriber = stored.open()?.map(|profile| profile.into_subscriber(id.clone()));
        Ok(subscriber.map(|subscriber| to_raw_value(&subscriber)).transpose()?)
    };
    crate::reply_or_id(id.as_str(), "subscriber", app.store.record(id.as_str()).await, show)
}
