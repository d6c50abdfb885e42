//! The control table: few items, which users change, found by kind and id.

use super::{Item, Store, StoreError, from_item, text, text_of, to_item};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Display, str::FromStr};

/// An item of the control table. Its kind is the partition key, and its id the sort key.
pub trait Controlled: Serialize + DeserializeOwned {
    const KIND: &'static str;
    type Id: FromStr + Display;
    fn id(&self) -> &str;
    /// Version for the optimistic lock, raised by each write.
    fn version(&mut self) -> &mut u64;
}

/// A range of ids.
#[derive(Debug, Clone, Copy)]
pub struct Ids {
    from: &'static str,
    to: &'static str,
}

impl Ids {
    pub const ALL: Self = Self::between("!", "~");

    pub const fn between(from: &'static str, to: &'static str) -> Self {
        Self { from, to }
    }
}

/// A page of items, and the position of the next page. An unreadable item is its id and the error.
pub struct ControlPage<T> {
    pub items: Vec<Result<T, (String, StoreError)>>,
    pub next: Option<String>,
}

impl Store {
    pub async fn find<T: Controlled>(&self, id: &str) -> Result<Option<T>, StoreError> {
        let get = self.client.get_item().table_name(&self.tables.control).consistent_read(true);
        let got = get.key("pk", text(T::KIND)).key("sk", text(id)).send().await?;
        got.item.map(from_item).transpose()
    }

    /// Writes a new item. Its id is random, so an item with the same id can only be an earlier try of this write by the
    /// SDK.
    pub async fn create<T: Controlled>(&self, value: &T) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.tables.control);
        put.set_item(Some(control_item(value)?)).send().await?;
        Ok(())
    }

    /// Writes a changed item, unless it was changed since it was read.
    pub async fn update<T: Controlled>(&self, value: &mut T) -> Result<(), StoreError> {
        let read = *value.version();
        *value.version() = read + 1;
        let put = self.client.put_item().table_name(&self.tables.control).set_item(Some(control_item(value)?));
        put.condition_expression("#version = :read")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":read", super::number(read))
            .send()
            .await?;
        Ok(())
    }

    pub async fn remove<T: Controlled>(&self, id: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.tables.control);
        delete.key("pk", text(T::KIND)).key("sk", text(id)).send().await?;
        Ok(())
    }

    /// A page of the items of a kind whose ids are in a range, newest first.
    pub async fn page<T: Controlled>(
        &self,
        ids: Ids,
        limit: usize,
        after: Option<&str>,
    ) -> Result<ControlPage<T>, StoreError> {
        let (mut items, mut next) = self.control_items(T::KIND, ids, limit + 1, after).await?;
        // One more than the limit was read, to see if there is a next page.
        if items.len() > limit {
            items.truncate(limit);
            next = items.last().map(|item| text_of(item, "sk").to_owned());
        }
        let read = |item: Item| {
            let id = text_of(&item, "sk").to_owned();
            from_item(item).map_err(|error| (id, error))
        };
        Ok(ControlPage { items: items.into_iter().map(read).collect(), next })
    }

    /// Items of a kind, newest first, and the id to continue after.
    pub(super) async fn control_items(
        &self,
        kind: &str,
        ids: Ids,
        limit: usize,
        after: Option<&str>,
    ) -> Result<(Vec<Item>, Option<String>), StoreError> {
        // A forged position. DynamoDB accepts none outside of the range.
        if after.is_some_and(|after| after < ids.from || after > ids.to) {
            return Ok((Vec::new(), None));
        }
        let start = after.map(|id| Item::from([("pk".to_owned(), text(kind)), ("sk".to_owned(), text(id))]));
        let queried = self
            .client
            .query()
            .table_name(&self.tables.control)
            .consistent_read(true)
            .key_condition_expression("pk = :kind AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":kind", text(kind))
            .expression_attribute_values(":from", text(ids.from))
            .expression_attribute_values(":to", text(ids.to))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await?;
        let next = queried.last_evaluated_key.map(|key| text_of(&key, "sk").to_owned());
        Ok((queried.items.unwrap_or_default(), next))
    }

    /// All items of a kind, for the rare change that must check all.
    pub async fn all<T: Controlled>(&self) -> Result<Vec<T>, StoreError> {
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let page = self.page(Ids::ALL, 100, after.as_deref()).await?;
            let read: Result<Vec<T>, _> = page.items.into_iter().collect();
            items.extend(read.map_err(|(_, error)| error)?);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(items),
            }
        }
    }
}

pub(super) fn control_item<T: Controlled>(value: &T) -> Result<Item, StoreError> {
    let mut item = to_item(value)?;
    item.insert("pk".to_owned(), text(T::KIND));
    item.insert("sk".to_owned(), text(value.id()));
    Ok(item)
}
