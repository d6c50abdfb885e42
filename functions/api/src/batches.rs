//! Processing of a whole list in batches, as many in one call as its time allows.

use std::time::{Duration, Instant};
use store::{
    Item, Store, StoreError,
    list::{Entries, Entry, Listing},
};

/// Well within API Gateway's timeout.
const TIME: Duration = Duration::from_secs(15);
const BATCH: usize = 50;

pub struct Batches<'a> {
    store: &'a Store,
    table: &'a str,
    entries: Entries<'a>,
    deadline: Instant,
    position: Option<String>,
}

impl<'a> Batches<'a> {
    pub async fn start(store: &'a Store, listing: Listing<'a>) -> Result<Self, StoreError> {
        let deadline = Instant::now() + TIME;
        let (table, position) = (listing.table, Some(listing.until.clone()));
        Ok(Self { store, table, entries: store.entries(listing, 400).await?, deadline, position })
    }

    /// The next batch of items whose entries are wanted. None at the end of the list, or once the call's time is up.
    pub async fn next(&mut self, wanted: impl Fn(&Entry) -> bool) -> Result<Option<Vec<Item>>, StoreError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH && Instant::now() < self.deadline {
            let Some(entry) = self.entries.next().await? else {
                self.position = None;
                break;
            };
            self.position = Some(entry.sort.clone());
            if wanted(&entry) {
                batch.push(entry);
            }
        }
        if batch.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.store.read(self.table, &batch).await?.into_values().collect()))
    }

    /// Start position of the next call; none if the list is finished.
    pub fn position(self) -> Option<String> {
        self.position
    }
}
