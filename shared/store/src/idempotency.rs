//! Answers of calls with an idempotency key, kept for a day in the control table.

use super::{Store, StoreError, from_item, number, text, to_item};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use futures::future::try_join_all;
use models::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Prefix of the partition keys. The IAM policy of an action's function is limited to it.
pub const PREFIX: &str = "idempotency#";
/// Sort key of a part.
const PART: &str = "part";
const KEPT_SECONDS: u64 = 86_400;
/// Bytes of an answer per item. An item holds 400 KB, so a larger answer takes several, under their own partition keys.
const PART_BYTES: usize = 380_000;

/// A call with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    pk: String,
    sk: String,
    v: u32,
    /// Distinguishes a retry of the same write from another call.
    nonce: String,
    /// Digest of the body.
    pub body: String,
    /// End of the lease: a call that has not ended by then has died.
    pub lease: Timestamp,
    /// The call ended with an unknown outcome and may be repeated, with this input or another.
    #[serde(skip_serializing_if = "is_false", default)]
    pub is_released: bool,
    /// None while the call is running.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    ended: Option<StoredAnswer>,
    expires: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredAnswer {
    status: u16,
    /// The answer, as far as it fits into the item.
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
    /// Number of further items with the rest.
    parts: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Answer of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct AnswerPart {
    pk: String,
    sk: String,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    expires: u64,
}

/// State of an idempotency key.
#[derive(Debug)]
pub enum KeyState {
    /// The key was free: this call is the first, and holds it.
    First(IdempotencyRecord),
    /// Another call holds the key, or held it when its process died.
    Held(IdempotencyRecord),
    Ended(IdempotencyRecord, CallAnswer),
}

impl IdempotencyRecord {
    pub fn new(key: &str, body: String, nonce: String, now: Timestamp, lease: Timestamp) -> Self {
        let expires = now.plus_seconds(KEPT_SECONDS).seconds();
        let (pk, sk) = (format!("{PREFIX}{key}"), "call".to_owned());
        Self { pk, sk, v: 1, nonce, body, lease, is_released: false, ended: None, expires }
    }

    fn part_key(&self, index: usize) -> String {
        // The nonce keeps the parts of two calls with the same key apart.
        format!("{} {} {index:02}", self.pk, self.nonce)
    }
}

impl Store {
    /// Takes the key for a call if it is free. One write.
    pub async fn begin(&self, call: IdempotencyRecord, now: Timestamp) -> Result<KeyState, StoreError> {
        let put = self.client.put_item().table_name(&self.tables.control).set_item(Some(to_item(&call)?));
        let put = put
            // DynamoDB deletes expired items only some time later.
            .condition_expression("attribute_not_exists(pk) OR #expires <= :now")
            .expression_attribute_names("#expires", "expires")
            .expression_attribute_values(":now", number(now.seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let held: IdempotencyRecord = match put.send().await.map_err(StoreError::from) {
            Ok(_) => return Ok(KeyState::First(call)),
            Err(StoreError::Condition(Some(held))) => from_item(*held)?,
            Err(error) => {
                // The write may have succeeded. The call does not continue, so the key is released.
                let _ = self.release(&call).await;
                return Err(error);
            }
        };
        match &held.ended {
            None if held.nonce == call.nonce => Ok(KeyState::First(call)),
            None => Ok(KeyState::Held(held)),
            Some(StoredAnswer { status, body, parts }) => {
                let rest = try_join_all((0..*parts).map(|index| self.part(&held, index))).await?;
                let answer = CallAnswer { status: *status, body: [body.clone(), rest.concat()].concat() };
                Ok(KeyState::Ended(held, answer))
            }
        }
    }

    async fn part(&self, call: &IdempotencyRecord, index: usize) -> Result<Vec<u8>, StoreError> {
        let get = self.client.get_item().table_name(&self.tables.control).consistent_read(true);
        let got = get.key("pk", text(call.part_key(index))).key("sk", text(PART)).send().await?;
        let item = got.item.ok_or_else(|| StoreError::Malformed("a part of a stored answer is missing".into()))?;
        Ok(from_item::<AnswerPart>(item)?.bytes)
    }

    /// Takes the key over from a call whose process died, unless another call has done so.
    pub async fn take_over(&self, held: &IdempotencyRecord, call: &IdempotencyRecord) -> Result<(), StoreError> {
        self.put_keyed(call, &held.nonce).await
    }

    /// Stores a call's answer under its key, if the call still holds the key.
    pub async fn end(&self, call: &IdempotencyRecord, answer: &CallAnswer) -> Result<(), StoreError> {
        let (body, rest) = answer.body.split_at(answer.body.len().min(PART_BYTES));
        let mut parts = 0;
        for bytes in rest.chunks(PART_BYTES) {
            let (pk, bytes) = (call.part_key(parts), bytes.to_vec());
            let part = AnswerPart { pk, sk: PART.to_owned(), bytes, expires: call.expires };
            let put = self.client.put_item().table_name(&self.tables.control).set_item(Some(to_item(&part)?));
            put.send().await?;
            parts += 1;
        }
        let ended = Some(StoredAnswer { status: answer.status, body: body.to_vec(), parts });
        let ended = IdempotencyRecord { ended, ..call.clone() };
        self.put_keyed(&ended, &call.nonce).await
    }

    /// Releases the key of an idempotent call whose outcome is unknown. The next call with the key takes it over
    /// immediately, and knows that the first may have been done.
    pub async fn release_unknown(&self, call: &IdempotencyRecord, now: Timestamp) -> Result<(), StoreError> {
        let released = IdempotencyRecord { lease: now, is_released: true, ..call.clone() };
        self.put_keyed(&released, &call.nonce).await
    }

    async fn put_keyed(&self, call: &IdempotencyRecord, held: &str) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.tables.control).set_item(Some(to_item(call)?));
        let put = put.condition_expression("nonce IN (:held, :own)").expression_attribute_values(":held", text(held));
        // If the answer to a write is lost, the SDK repeats it and finds the nonce that the first try wrote: this call's own.
        put.expression_attribute_values(":own", text(&call.nonce)).send().await?;
        Ok(())
    }

    /// Releases the key as if the call had never been made.
    pub async fn release(&self, call: &IdempotencyRecord) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.tables.control);
        let key = HashMap::from([("pk".to_owned(), text(&call.pk)), ("sk".to_owned(), text(&call.sk))]);
        let delete = delete.set_key(Some(key)).condition_expression("nonce = :nonce");
        delete.expression_attribute_values(":nonce", text(&call.nonce)).send().await?;
        Ok(())
    }
}
