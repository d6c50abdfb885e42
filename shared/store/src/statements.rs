//! Batches of conditional writes. They are PartiQL statements, because BatchWriteItem supports no conditions.

use super::{Item, Store, StoreError, back_off, invalid_request, number};
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementError, BatchStatementErrorCodeEnum, BatchStatementRequest,
};
use futures::{StreamExt as _, stream};
use std::iter;

/// Number of statements that DynamoDB accepts in one request.
const BATCH: usize = 25;
const CONCURRENCY: usize = 8;
/// Retry limit for statements that are throttled or conflict with another write.
const ATTEMPTS: u32 = 5;

/// A statement, unless it could not be built.
pub(super) type Statement = Result<BatchStatementRequest, StoreError>;

impl Store {
    /// Executes statements, each on its own. Returns an outcome for each: [`StoreError::Condition`] if its condition
    /// failed.
    pub(super) async fn execute(&self, statements: Vec<Statement>) -> Vec<Result<(), StoreError>> {
        let count = statements.len();
        let statements: Vec<_> = match statements.into_iter().collect() {
            Ok(statements) => statements,
            Err(error) => return all_failed(error, count),
        };
        let try_batch = async |batch: &[_]| {
            let tried = self.try_batch(batch).await;
            tried.unwrap_or_else(|error| all_failed(error, batch.len()))
        };
        let batches: Vec<_> = statements.chunks(BATCH).map(try_batch).collect();
        stream::iter(batches).buffered(CONCURRENCY).collect::<Vec<_>>().await.into_iter().flatten().collect()
    }

    /// Executes a batch. Throttled statements are sent again.
    async fn try_batch(&self, batch: &[BatchStatementRequest]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let busy = || Err(StoreError::Unavailable("the store throttles writes".into()));
        let mut executed: Vec<_> = iter::repeat_with(busy).take(batch.len()).collect();
        let mut left: Vec<usize> = (0..batch.len()).collect();
        for attempt in 0..ATTEMPTS {
            let statements = left.iter().map(|at| batch[*at].clone()).collect();
            let request = self.client.batch_execute_statement().set_statements(Some(statements));
            let answers = request.send().await?.responses.unwrap_or_default();
            if answers.len() != left.len() {
                return Err(StoreError::Unavailable("the answer to a batch is incomplete".into()));
            }
            let mut again = Vec::new();
            for (at, answer) in left.into_iter().zip(answers) {
                match outcome(answer.error) {
                    Some(outcome) => executed[at] = outcome,
                    None => again.push(at),
                }
            }
            if again.is_empty() {
                break;
            }
            left = again;
            back_off(attempt).await;
        }
        Ok(executed)
    }
}

/// Outcomes of statements that may not have been executed.
fn all_failed(error: StoreError, count: usize) -> Vec<Result<(), StoreError>> {
    let others = iter::repeat_with(|| Err(StoreError::Unavailable("another statement of the batch failed".into())));
    iter::once(Err(error)).chain(others).take(count).collect()
}

/// The outcome of a statement; none if it should be sent again.
fn outcome(error: Option<BatchStatementError>) -> Option<Result<(), StoreError>> {
    use BatchStatementErrorCodeEnum as Code;
    let Some(error) = error else { return Some(Ok(())) };
    match error.code {
        Some(Code::DuplicateItem | Code::ConditionalCheckFailed) => Some(Err(StoreError::Condition(None))),
        Some(Code::ValidationError) => Some(Err(StoreError::Refused(error.message.unwrap_or_default().into()))),
        Some(
            Code::InternalServerError
            | Code::ProvisionedThroughputExceeded
            | Code::RequestLimitExceeded
            | Code::ThrottlingError
            | Code::TransactionConflict,
        ) => None,
        _ => Some(Err(StoreError::Unavailable(format!("{error:?}").into()))),
    }
}

/// Inserts an item, on condition that none exists with its key.
pub(super) fn insertion(table: &str, item: Item) -> Statement {
    let (names, values): (Vec<String>, Vec<AttributeValue>) = item.into_iter().unzip();
    let fields: Vec<String> = names.iter().map(|name| format!("'{name}': ?")).collect();
    statement(format!("INSERT INTO \"{table}\" VALUE {{{}}}", fields.join(", ")), values)
}

/// Updates an item, on condition that it has the version that was read. Attributes that are not in `item` stay, except
/// for `removable` ones.
///
/// A missing item also fails the condition, and is not created:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.update.html>.
pub(super) fn change(table: &str, mut item: Item, read: u64, removable: &[&str]) -> Statement {
    let keys = ["pk", "sk"].into_iter().filter_map(|name| Some((name, item.remove(name)?)));
    let (conditions, of_conditions): (Vec<&str>, Vec<AttributeValue>) = keys.chain([("version", number(read))]).unzip();
    let removed = removable.iter().filter(|name| !item.contains_key(**name)).map(|name| format!("REMOVE \"{name}\""));
    let removed: Vec<String> = removed.collect();
    let (names, mut values): (Vec<String>, Vec<AttributeValue>) = item.into_iter().unzip();
    let set = names.iter().map(|name| format!("SET \"{name}\" = ?"));
    let clauses: Vec<String> = set.chain(removed).collect();
    let conditions: Vec<String> = conditions.iter().map(|name| format!("\"{name}\" = ?")).collect();
    values.extend(of_conditions);
    statement(format!("UPDATE \"{table}\" {} WHERE {}", clauses.join(" "), conditions.join(" AND ")), values)
}

fn statement(statement: String, parameters: Vec<AttributeValue>) -> Statement {
    BatchStatementRequest::builder()
        .statement(statement)
        .set_parameters(Some(parameters))
        .build()
        .map_err(invalid_request)
}
