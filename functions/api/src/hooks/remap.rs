//! `POST /v1/hooks/{id}/remap`: reads a hook's stored events again. Each event with a different reading is written as a
//! new revision. The stream brings it to dispatch, which corrects the records.

use crate::{ADMIN, CURSOR, batches::Batches, control};
use app::{App, Route};
use futures::future::try_join_all;
use models::{StoredEvent, event::EventKey};
use payload::{body, mapping};
use schemars::JsonSchema;
use serde::Serialize;
use store::{Item, StoreError, from_item, hooks::Hook, list::Entry};
use web::{Problem, Request, RequestExt as _, Response, respond};

#[derive(Default, Serialize, JsonSchema)]
pub struct Remapped {
    /// Number of events that were read.
    read: u64,
    /// Number of events with a different reading.
    changed: u64,
    /// Null at the end. Otherwise there are more: repeat the call with this as `cursor`.
    next: Option<String>,
}

/// Retry limit for optimistic-lock conflicts. After it, the event is left to the next remap.
const ATTEMPTS: usize = 5;

pub const ROUTE: Route = Route::post(
    "/v1/hooks/{id}/remap",
    ADMIN,
    "Read a hook's stored events again by its current mapping",
    |app, request| Box::pin(remap(app, request)),
)
.with_query(&[CURSOR])
.answers::<Remapped>();

pub async fn remap(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = control::find::<Hook>(app, &request).await?;
    let is_of_hook =
        |entry: &Entry| EventKey::parse(&entry.sort).is_some_and(|key| key.origin.hook() == Some(&hook.id));
    let mut batches = Batches::start(&app.store, app.store.events(None, None, request.position("remap")?)).await?;
    let mut remapped = Remapped::default();
    while let Some(items) = batches.next(is_of_hook).await? {
        remapped.read += items.len() as u64;
        let changed = try_join_all(items.into_iter().map(|item| reread(app, &hook, item))).await?;
        remapped.changed += changed.into_iter().filter(|changed| *changed).count() as u64;
    }
    remapped.next = request.cursor("remap", batches.position());
    respond::ok(&remapped)
}

/// Reads one event again. Returns whether its reading is different.
async fn reread(app: &App, hook: &Hook, item: Item) -> Result<bool, StoreError> {
    let mut event: StoredEvent = from_item(item)?;
    for _ in 0..ATTEMPTS {
        let Some(watch) = registry::trigger(&hook.trigger) else { return Ok(false) };
        let Some(raw) = &event.raw else { return Ok(false) };
        let (body, _) = body::reread(raw, event.format());
        let reading = mapping::resolve(watch.trigger.fields(), &hook.settings.mapping, &body);
        if serde_json::to_string(&reading)? == event.reading {
            return Ok(false);
        }
        match app.store.revise(&event.remapped(&reading, &body)?).await {
            Ok(()) => return Ok(true),
            Err(StoreError::Condition(_)) => match app.store.event(&event.key()?.id).await? {
                Some(again) => event = again,
                None => return Ok(false),
            },
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Condition(None))
}
