//! Deletion of expired items, which DynamoDB does on its own.
//!
//! The engine's own sweep reads every item of the database while all writes wait: for 17 s with 300,000 events. Here a table is
//! read page by page between other reads, and only the deletion of an expired item is a write.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dynoxide::DynoxideError;
use dynoxide::types::Item;
use serde_json::{Value, json};

use crate::{Database, Error, TableSpec, tables::request};

const PAGE: usize = 100;

/// A page of a table, whose expired items have been deleted.
#[derive(Debug, Default)]
pub struct ExpiryPage {
    pub deleted: usize,
    /// Time that the read took, without the deletions.
    pub read_in: Duration,
    /// None if this was the table's last page.
    pub next: Option<PageStart>,
}

/// The place of a page in its table.
#[derive(Debug)]
pub struct PageStart(Item);

impl Database {
    /// Deletes the expired items of a page: the table's first one, or the one that starts there.
    pub async fn delete_expired(&self, table: &TableSpec, start: Option<PageStart>) -> Result<ExpiryPage, Error> {
        let Some(attribute) = table.ttl else { return Ok(ExpiryPage::default()) };
        // A clock before 1970 has expired nothing.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let scan = request(scan(table, attribute, now, start))?;
        let begun = Instant::now();
        let page = self.read(|engine| engine.scan(scan)).await??;
        let (read_in, mut deleted) = (begun.elapsed(), 0);
        for key in page.items.unwrap_or_default() {
            deleted += usize::from(self.delete_if_expired(table, attribute, now, &key).await?);
        }
        Ok(ExpiryPage { deleted, read_in, next: page.last_evaluated_key.map(PageStart) })
    }

    /// Returns false if the item was changed after it was read, and has not expired.
    async fn delete_if_expired(
        &self,
        table: &TableSpec,
        attribute: &str,
        now: Duration,
        key: &Item,
    ) -> Result<bool, Error> {
        let deletion = request(json!({
            "TableName": table.name,
            "Key": key,
            "ConditionExpression": "#expires <= :now",
            "ExpressionAttributeNames": { "#expires": attribute },
            "ExpressionAttributeValues": { ":now": number(now) },
        }))?;
        match self.write_items(|engine| engine.delete_item(deletion)).await? {
            Ok(_) => Ok(true),
            Err(DynoxideError::ConditionalCheckFailedException(..)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The request for the keys of a page's expired items.
fn scan(table: &TableSpec, attribute: &str, now: Duration, start: Option<PageStart>) -> Value {
    let mut names = json!({ "#expires": attribute, "#key": table.key });
    let mut projection = "#key".to_owned();
    if let Some(sort) = table.sort {
        names["#sort"] = json!(sort);
        projection += ", #sort";
    }
    let mut scan = json!({
        "TableName": table.name,
        "FilterExpression": "#expires <= :now",
        "ProjectionExpression": projection,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": { ":now": number(now) },
        "Limit": PAGE,
    });
    if let Some(PageStart(start)) = start {
        scan["ExclusiveStartKey"] = json!(start);
    }
    scan
}

fn number(now: Duration) -> Value {
    json!({ "N": now.as_secs().to_string() })
}
