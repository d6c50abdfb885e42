//! Problems of a hook or a route that could not be written because of the connection or hook that it names.

use runtime::{
    App, Code, Problem, Retry,
    store::{StoreError, references::Reference},
};
use std::collections::BTreeSet;

/// Retry limit for a deletion that meets new users of what it deletes.
pub const ATTEMPTS: usize = 20;

/// The problem of a new item that was not written: 404 if what it names is gone by now.
pub async fn not_created(app: &App, error: StoreError, named: &BTreeSet<Reference>) -> Problem {
    if !matches!(error, StoreError::Condition(_)) {
        return error.into();
    }
    match missing(app, named).await {
        Err(problem) => problem,
        Ok(Some(reference)) => Problem::not_found(reference.kind),
        Ok(None) => Problem::new(Code::Conflict, "the hook that it names is being deleted; retry in a minute")
            .retried(Retry::After(60)),
    }
}

/// The first of these that is not there.
pub async fn missing<'r>(app: &App, named: &'r BTreeSet<Reference>) -> Result<Option<&'r Reference>, Problem> {
    for reference in named {
        if !app.store.is_there(reference).await? {
            return Ok(Some(reference));
        }
    }
    Ok(None)
}
