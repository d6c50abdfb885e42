//! Lists over sharded, keys-only indexes. The shards are merged newest first, and the items of a page are read in
//! batches.

use super::{Item, Store, StoreError, batch_get::Key, tables::Index, text, text_of};
use futures::future::try_join_all;
use models::{causes, envelope::MAX_SHOWN_BYTES};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::{HashMap, VecDeque};

/// Range of a list: an index, its shards, and the bounds of its sort key.
pub struct Listing<'a> {
    pub table: &'a str,
    pub index: Index,
    pub shards: Vec<String>,
    /// Lowest sort key of the list.
    pub from: String,
    /// Exclusive upper bound of the sort key.
    pub until: String,
}

/// Sorts after every sort key.
pub const HIGHEST_SORT_KEY: &str = "~";

/// The keys of an item in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub sort: String,
    pub pk: String,
    /// The table's sort key, if it has one.
    pub sk: Option<String>,
    /// Name of the index's sort key attribute.
    by: &'static str,
}

impl Entry {
    pub(super) fn of(item: &Item, index: Index) -> Self {
        let (by, sk) = (index.sort, item.contains_key("sk").then(|| text_of(item, "sk").to_owned()));
        Self { sort: text_of(item, by).to_owned(), pk: text_of(item, "pk").to_owned(), sk, by }
    }

    pub(super) fn key(&self) -> Key {
        Key { pk: self.pk.clone(), sk: self.sk.clone() }
    }

    /// The key of an event that a later one has replaced: its own id.
    fn moved(&self) -> Option<Key> {
        self.sk.is_none().then(|| Key::of(self.sort.split(' ').next().unwrap_or_default()))
    }
}

/// A page: its items as JSON, and the position of the next page.
#[derive(Debug, Default)]
pub struct Page {
    pub items: Vec<Box<RawValue>>,
    pub next: Option<String>,
}

/// Largest page, in bytes of JSON. A page with one item may exceed it.
pub const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Limits on the items that a page reads and on the entries that it checks. A page that reaches one ends early.
pub(super) const MAX_READ: usize = 400;
pub(super) const MAX_ENTRIES: usize = 4_000;
/// DynamoDB accepts 100 keys in one request, and answers with at most 16 MB.
const BATCH: usize = 50;

struct Shard {
    key: String,
    /// Newest first.
    entries: VecDeque<Entry>,
    next: Option<Item>,
    finished: bool,
}

/// Entries of a listing, newest first.
pub struct Entries<'a> {
    store: &'a Store,
    listing: Listing<'a>,
    shards: Vec<Shard>,
    per_query: i32,
}

impl Store {
    /// Starts a listing. `about` is the expected number of entries.
    pub async fn entries<'a>(&'a self, listing: Listing<'a>, about: usize) -> Result<Entries<'a>, StoreError> {
        // DynamoDB rejects an empty range, so its list is empty without a query.
        let finished = listing.from >= listing.until;
        let new = |key: &String| Shard { key: key.clone(), entries: VecDeque::new(), next: None, finished };
        let shards = listing.shards.iter().map(new).collect();
        let per_query = i32::try_from(about / 4 + 8).unwrap_or(i32::MAX);
        let mut entries = Entries { store: self, listing, shards, per_query };
        entries.fill().await?;
        Ok(entries)
    }

    /// A page of a listing. Entries that pass `keep` are read, and `show` converts them to JSON or skips them. An item
    /// that can't be shown is replaced by the id that `id` returns for its entry, if any.
    pub async fn page_of<'a>(
        &'a self,
        listing: Listing<'a>,
        limit: usize,
        keep: impl Fn(&Entry) -> bool,
        id: impl Fn(&Entry) -> Option<String>,
        show: impl Fn(Item) -> Result<Option<Box<RawValue>>, StoreError>,
    ) -> Result<Page, StoreError> {
        let table = listing.table;
        let mut entries = self.entries(listing, limit).await?;
        let (mut page, mut bytes, mut read, mut seen) = (Page::default(), 0, 0, 0);
        loop {
            let (mut batch, mut position) = (Vec::new(), None);
            let wanted = BATCH.min(limit - page.items.len());
            while batch.len() < wanted && seen < MAX_ENTRIES {
                let Some(entry) = entries.next().await? else { break };
                seen += 1;
                position = Some(entry.sort.clone());
                if keep(&entry) {
                    batch.push(entry);
                }
            }
            read += batch.len();
            let mut items = self.read(table, &batch).await?;
            let mut before = None;
            for entry in batch {
                let shown = items.remove(&entry.sort).and_then(|item| json_or_stub(show(item), || id(&entry)));
                if let Some(json) = shown {
                    bytes += json.get().len();
                    if bytes > MAX_PAGE_BYTES && !page.items.is_empty() {
                        page.next = before.or(page.next);
                        return Ok(page);
                    }
                    page.items.push(json);
                }
                before = Some(entry.sort);
            }
            page.next = position.or(page.next);
            if entries.peek().await?.is_none() {
                page.next = None;
                return Ok(page);
            }
            if page.items.len() >= limit || read >= MAX_READ || seen >= MAX_ENTRIES {
                return Ok(page);
            }
        }
    }

    /// Reads the items of entries, by sort key. Items that were deleted or replaced since they were indexed are left
    /// out.
    pub async fn read(&self, table: &str, entries: &[Entry]) -> Result<HashMap<String, Item>, StoreError> {
        let mut items = HashMap::new();
        for batch in entries.chunks(BATCH) {
            let mut wanted: Vec<Key> = batch.iter().map(Entry::key).collect();
            // The index may lag behind the table.
            for _ in 0..2 {
                for item in self.get_all(table, wanted).await? {
                    let sort = text_of(&item, batch[0].by).to_owned();
                    items.insert(sort, item);
                }
                wanted =
                    batch.iter().filter(|entry| !items.contains_key(&entry.sort)).filter_map(Entry::moved).collect();
            }
        }
        Ok(items)
    }
}

/// The JSON of an item, or only its id if it is unreadable or too large: one item must not fail the others.
pub fn json_or_stub(
    shown: Result<Option<Box<RawValue>>, StoreError>,
    id: impl Fn() -> Option<String>,
) -> Option<Box<RawValue>> {
    match shown {
        Ok(json) if json.as_ref().is_none_or(|json| json.get().len() <= MAX_SHOWN_BYTES) => json,
        Ok(_) => stub(&id()?).ok(),
        Err(error) => {
            let id = id();
            tracing::error!(item = id, cause = causes(&error), "an item of a list can't be read");
            stub(&id?).ok()
        }
    }
}

/// The placeholder for an item that can't be shown.
pub fn stub(id: &str) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(&ItemStub { id, truncated: true })
}

/// An item that is unreadable, or over 1 MB as JSON.
#[derive(Serialize, JsonSchema)]
pub struct ItemStub<'a> {
    id: &'a str,
    /// Always true.
    truncated: bool,
}

impl Entries<'_> {
    /// Queries all shards without entries concurrently.
    async fn fill(&mut self) -> Result<(), StoreError> {
        let (store, listing, per_query) = (self.store, &self.listing, self.per_query);
        let empty = self.shards.iter_mut().filter(|shard| shard.entries.is_empty() && !shard.finished);
        try_join_all(empty.map(|shard| query(store, listing, shard, per_query))).await?;
        Ok(())
    }

    async fn newest(&mut self) -> Result<Option<usize>, StoreError> {
        while self.shards.iter().any(|shard| shard.entries.is_empty() && !shard.finished) {
            self.fill().await?;
        }
        let heads = self.shards.iter().enumerate().filter_map(|(at, shard)| Some((&shard.entries.front()?.sort, at)));
        Ok(heads.max().map(|(_, at)| at))
    }

    pub async fn next(&mut self) -> Result<Option<Entry>, StoreError> {
        let newest = self.newest().await?;
        Ok(newest.and_then(|at| self.shards[at].entries.pop_front()))
    }

    pub(super) async fn peek(&mut self) -> Result<Option<&Entry>, StoreError> {
        let newest = self.newest().await?;
        Ok(newest.and_then(|at| self.shards[at].entries.front()))
    }
}

async fn query(store: &Store, listing: &Listing<'_>, shard: &mut Shard, limit: i32) -> Result<(), StoreError> {
    let queried = store
        .client
        .query()
        .table_name(listing.table)
        .index_name(listing.index.name)
        .key_condition_expression("#key = :key AND #sort BETWEEN :from AND :until")
        .expression_attribute_names("#key", listing.index.key)
        .expression_attribute_names("#sort", listing.index.sort)
        .expression_attribute_values(":key", text(&shard.key))
        .expression_attribute_values(":from", text(&listing.from))
        .expression_attribute_values(":until", text(&listing.until))
        .scan_index_forward(false)
        .limit(limit)
        .set_exclusive_start_key(shard.next.take())
        .send()
        .await?;
    shard.finished = queried.last_evaluated_key.is_none();
    shard.next = queried.last_evaluated_key;
    for item in queried.items.unwrap_or_default() {
        let entry = Entry::of(&item, listing.index);
        // BETWEEN includes its upper bound, which a list excludes.
        if entry.sort != listing.until {
            shard.entries.push_back(entry);
        }
    }
    Ok(())
}
