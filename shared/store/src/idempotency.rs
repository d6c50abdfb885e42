//! The first answers of calls with an idempotency key, kept for a day in the control table.

use super::{Store, StoreError, from_item, number, text, to_item};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use futures::future::try_join_all;
use models::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What partition keys begin with: the rights of an action's function end there.
pub const PREFIX: &str = "idempotency#";
/// The sort key of a part.
const PART: &str = "part";
const KEPT_SECONDS: u64 = 86_400;
/// An item holds 400 KB, so a larger answer takes more items, under partition keys of their own.
const PART_BYTES: usize = 380_000;

/// A call that an idempotency key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    pk: String,
    sk: String,
    v: u32,
    /// Tells the writer's own retry from another's call.
    nonce: String,
    /// A digest of the body.
    pub body: String,
    /// A call that has not reported its end by then has died.
    pub lease: Timestamp,
    /// The call ended with an unknown outcome and may be repeated, with this input or another.
    #[serde(skip_serializing_if = "is_false", default)]
    pub is_released: bool,
    /// None while the call is under way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    ended: Option<Ended>,
    expires: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    status: u16,
    /// The answer, as far as the item holds it.
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
    /// How many more items the rest of it takes.
    parts: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// How a call ended: the status and the body of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub status: u16,
    pub body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Part {
    pk: String,
    sk: String,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    expires: u64,
}

/// What there is under a key.
#[derive(Debug)]
pub enum Begun {
    /// Nothing yet: the call is the first, and holds the key.
    First(Keyed),
    /// Another call holds it, or did when its process ended.
    Held(Keyed),
    Ended(Keyed, Ending),
}

impl Keyed {
    pub fn new(key: &str, body: String, nonce: String, now: Timestamp, lease: Timestamp) -> Self {
        let expires = now.plus_seconds(KEPT_SECONDS).seconds();
        let (pk, sk) = (format!("{PREFIX}{key}"), "call".to_owned());
        Self { pk, sk, v: 1, nonce, body, lease, is_released: false, ended: None, expires }
    }

    fn part_key(&self, index: usize) -> String {
        // By nonce, so that two calls that both end can't mix their parts.
        format!("{} {} {index:02}", self.pk, self.nonce)
    }
}

impl Store {
    /// Takes a key for a call, if it is free. One write.
    pub async fn begin(&self, call: Keyed, now: Timestamp) -> Result<Begun, StoreError> {
        let put = self.client.put_item().table_name(&self.tables.control).set_item(Some(to_item(&call)?));
        let put = put
            // DynamoDB deletes what has expired some time later.
            .condition_expression("attribute_not_exists(pk) OR #expires <= :now")
            .expression_attribute_names("#expires", "expires")
            .expression_attribute_values(":now", number(now.seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let held: Keyed = match put.send().await.map_err(StoreError::from) {
            Ok(_) => return Ok(Begun::First(call)),
            Err(StoreError::Condition(Some(held))) => from_item(*held)?,
            Err(error) => {
                // It may have been written all the same, and the call does not go on to give it back.
                let _ = self.release(&call).await;
                return Err(error);
            }
        };
        match &held.ended {
            None if held.nonce == call.nonce => Ok(Begun::First(call)),
            None => Ok(Begun::Held(held)),
            Some(Ended { status, body, parts }) => {
                let rest = try_join_all((0..*parts).map(|index| self.part(&held, index))).await?;
                let ending = Ending { status: *status, body: [body.clone(), rest.concat()].concat() };
                Ok(Begun::Ended(held, ending))
            }
        }
    }

    async fn part(&self, call: &Keyed, index: usize) -> Result<Vec<u8>, StoreError> {
        let get = self.client.get_item().table_name(&self.tables.control).consistent_read(true);
        let got = get.key("pk", text(call.part_key(index))).key("sk", text(PART)).send().await?;
        let item = got.item.ok_or_else(|| StoreError::Malformed("a part of a kept answer is missing".into()))?;
        Ok(from_item::<Part>(item)?.bytes)
    }

    /// Takes a key over from a call whose process has ended, unless another has done so.
    pub async fn take_over(&self, held: &Keyed, call: &Keyed) -> Result<(), StoreError> {
        self.put_keyed(call, &held.nonce).await
    }

    /// Keeps a call's ending under its key, while the call still holds it.
    pub async fn end(&self, call: &Keyed, ending: &Ending) -> Result<(), StoreError> {
        let (body, rest) = ending.body.split_at(ending.body.len().min(PART_BYTES));
        let mut parts = 0;
        for bytes in rest.chunks(PART_BYTES) {
            let (pk, bytes) = (call.part_key(parts), bytes.to_vec());
            let part = Part { pk, sk: PART.to_owned(), bytes, expires: call.expires };
            let put = self.client.put_item().table_name(&self.tables.control).set_item(Some(to_item(&part)?));
            put.send().await?;
            parts += 1;
        }
        let ended = Some(Ended { status: ending.status, body: body.to_vec(), parts });
        let ended = Keyed { ended, ..call.clone() };
        self.put_keyed(&ended, &call.nonce).await
    }

    /// Releases the key of an idempotent call whose outcome is unknown. The next call with the key takes it over at once,
    /// knowing that the first may have been done.
    pub async fn release_unknown(&self, call: &Keyed, now: Timestamp) -> Result<(), StoreError> {
        let released = Keyed { lease: now, is_released: true, ..call.clone() };
        self.put_keyed(&released, &call.nonce).await
    }

    async fn put_keyed(&self, call: &Keyed, held: &str) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.tables.control).set_item(Some(to_item(call)?));
        let put = put.condition_expression("nonce IN (:held, :own)").expression_attribute_values(":held", text(held));
        // Its own: the SDK repeats a write whose answer was lost.
        put.expression_attribute_values(":own", text(&call.nonce)).send().await?;
        Ok(())
    }

    /// Gives a key back, as if the call had never been.
    pub async fn release(&self, call: &Keyed) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.tables.control);
        let key = HashMap::from([("pk".to_owned(), text(&call.pk)), ("sk".to_owned(), text(&call.sk))]);
        let delete = delete.set_key(Some(key)).condition_expression("nonce = :nonce");
        delete.expression_attribute_values(":nonce", text(&call.nonce)).send().await?;
        Ok(())
    }
}
