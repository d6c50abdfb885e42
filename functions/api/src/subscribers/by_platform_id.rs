//! Subscribers with an id at the platform, at most one per connection. A subscriber's id is derived from its connection
//! and its platform id, so all connections are looked up in one batch.

use super::SubscriberFilter;
use app::App;
use models::{SubscriberId, causes};
use store::{
    StoreError,
    connections::Connection,
    control::Ids,
    list::{MAX_PAGE_BYTES, Page, json_or_stub},
};

/// Number of connections that are looked up in one batch.
const BATCH: usize = 100;
/// Largest number of batches per page.
const MAX_BATCHES: usize = 4;

/// A page of these subscribers, by connection, newest connection first. The position is a connection's id.
pub async fn page(
    app: &App,
    filter: &SubscriberFilter,
    platform_id: &str,
    limit: usize,
    position: Option<String>,
) -> Result<Page, StoreError> {
    let (mut page, mut bytes) = (Page { items: Vec::new(), next: position }, 0);
    for _ in 0..MAX_BATCHES {
        let batch = app.store.page::<Connection>(Ids::ALL, BATCH, page.next.as_deref()).await?;
        let connections: Vec<Connection> = batch.items.into_iter().filter_map(readable).collect();
        let wanted = connections.iter().filter(|connection| filter.has_platform(&connection.platform));
        let ids: Vec<_> = wanted
            .map(|connection| (connection, SubscriberId::derive(&connection.platform, &connection.id, platform_id)))
            .collect();
        let keys: Vec<SubscriberId> = ids.iter().map(|(_, id)| id.clone()).collect();
        let mut found = app.store.subscribers(&keys, true).await?;
        for (connection, id) in ids {
            let shown = found.remove(id.as_str()).and_then(|item| json_or_stub(filter.show(item), || filter.stub(&id)));
            let Some(json) = shown else { continue };
            bytes += json.get().len();
            if bytes > MAX_PAGE_BYTES && !page.items.is_empty() {
                return Ok(page);
            }
            page.items.push(json);
            page.next = Some(connection.id.to_string());
            if page.items.len() >= limit && (!found.is_empty() || batch.next.is_some()) {
                return Ok(page);
            }
        }
        page.next = batch.next;
        if page.next.is_none() || page.items.len() >= limit {
            break;
        }
    }
    Ok(page)
}

/// The platform of an unreadable connection is unknown, so its subscribers can't be looked up.
fn readable(connection: Result<Connection, (String, StoreError)>) -> Option<Connection> {
    connection
        .inspect_err(|(id, error)| {
            tracing::error!(
                item = id,
                cause = causes(error),
                "a connection can't be read; its people were not looked up"
            );
        })
        .ok()
}
