//! Batches of PartiQL statements.

use dynoxide::actions::batch_execute_statement::{
    BatchExecuteStatementRequest, BatchExecuteStatementResponse, BatchStatementRequest, BatchStatementResponse,
};
use dynoxide::actions::execute_transaction::{ExecuteTransactionRequest, ItemResponse, ParameterizedStatement};
use dynoxide::{Database, DynoxideError};

/// Executes a batch in one transaction of SQLite, because the engine has one for each statement. If one fails, the
/// transaction writes nothing, and each statement is executed on its own.
pub(crate) fn execute(
    engine: &Database,
    request: BatchExecuteStatementRequest,
) -> Result<BatchExecuteStatementResponse, DynoxideError> {
    let count = request.statements.len();
    if count > 1 && request.return_consumed_capacity.is_none() {
        let transact_statements = request.statements.iter().map(parameterized).collect();
        let transaction = ExecuteTransactionRequest { transact_statements, ..Default::default() };
        if let Ok(executed) = engine.execute_transaction(transaction) {
            let mut responses: Vec<_> = executed.responses.unwrap_or_default().into_iter().map(response).collect();
            responses.resize_with(count, BatchStatementResponse::default);
            return Ok(BatchExecuteStatementResponse { responses, consumed_capacity: None });
        }
    }
    engine.batch_execute_statement(request)
}

fn parameterized(statement: &BatchStatementRequest) -> ParameterizedStatement {
    ParameterizedStatement {
        statement: statement.statement.clone(),
        parameters: statement.parameters.clone(),
        ..Default::default()
    }
}

fn response(of_statement: ItemResponse) -> BatchStatementResponse {
    let mut response = BatchStatementResponse::default();
    response.item = of_statement.item;
    response
}
