//! Problems for a hook or route that was not written because a connection or hook that it names is gone.

use app::App;
use std::collections::BTreeSet;
use store::{StoreError, references::Reference};
use web::{Code, Problem, Retry};

/// Retry limit for a deletion that conflicts with new references.
pub const ATTEMPTS: usize = 20;

/// The problem for a new item that was not written: 404 if a hook or connection that it names was deleted.
pub async fn not_created(app: &App, error: StoreError, named: &BTreeSet<Reference>) -> Problem {
    if !matches!(error, StoreError::Condition(_)) {
        return error.into();
    }
    match missing(app, named).await {
        Err(problem) => problem,
        Ok(Some(reference)) => Problem::not_found(reference.kind),
        Ok(None) => {
            Problem::new(Code::Conflict, "the named hook is being deleted; retry in a minute").retried(Retry::After(60))
        }
    }
}

/// The first of these references that does not exist.
pub async fn missing<'r>(app: &App, named: &'r BTreeSet<Reference>) -> Result<Option<&'r Reference>, Problem> {
    for reference in named {
        if !app.store.reference_exists(reference).await? {
            return Ok(Some(reference));
        }
    }
    Ok(None)
}
