//! Transactions: writes that happen together or not at all.

use super::{Store, StoreError, back_off, invalid_request};
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        CancellationReason, TransactWriteItem,
        builders::{ConditionCheckBuilder, DeleteBuilder, PutBuilder, UpdateBuilder},
    },
};

/// Retry limit for transactions that conflict with a concurrent write.
const ATTEMPTS: u32 = 6;

impl Store {
    /// Commits a transaction. A conflict with a concurrent write is retried.
    pub(super) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        for attempt in 0..ATTEMPTS {
            let written = self.client.transact_write_items().set_transact_items(Some(writes.clone())).send().await;
            match written {
                // The conditions were not evaluated.
                Err(error) if is_conflict(&error) => back_off(attempt).await,
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(()),
            }
        }
        Err(StoreError::Unavailable("a transaction conflicted with other writes at every attempt".into()))
    }
}

/// True if a concurrent write cancelled the transaction, and no condition failed.
fn is_conflict<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return false;
    };
    let mut codes = cancelled.cancellation_reasons().iter().filter_map(CancellationReason::code);
    codes.clone().any(|code| code == "TransactionConflict") && !codes.any(|code| code == "ConditionalCheckFailed")
}

pub(super) fn put(put: PutBuilder) -> Result<TransactWriteItem, StoreError> {
    Ok(TransactWriteItem::builder().put(put.build().map_err(invalid_request)?).build())
}

pub(super) fn update(update: UpdateBuilder) -> Result<TransactWriteItem, StoreError> {
    Ok(TransactWriteItem::builder().update(update.build().map_err(invalid_request)?).build())
}

pub(super) fn delete(delete: DeleteBuilder) -> Result<TransactWriteItem, StoreError> {
    Ok(TransactWriteItem::builder().delete(delete.build().map_err(invalid_request)?).build())
}

pub(super) fn check(check: ConditionCheckBuilder) -> Result<TransactWriteItem, StoreError> {
    Ok(TransactWriteItem::builder().condition_check(check.build().map_err(invalid_request)?).build())
}
