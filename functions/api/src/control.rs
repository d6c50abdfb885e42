//! The reads that connections, hooks, routes and keys share.

use app::App;
use futures::future::try_join_all;
use models::{Scope, causes};
use serde::Serialize;
use serde_json::value::to_raw_value;
use store::{
    control::{Controlled, Ids},
    list::stub,
};
use web::{Problem, Request, RequestExt as _, Response, respond};

/// The item that the path's id names. A malformed id is not found, like an unknown one.
pub async fn find<T: Controlled>(app: &App, request: &Request) -> Result<T, Problem> {
    let id: T::Id = request.id(T::KIND)?;
    app.store.find(&id.to_string()).await?.ok_or_else(|| Problem::not_found(T::KIND))
}

/// A page of a list in the control table. An unreadable item is replaced by its id.
pub async fn list<T: Controlled, V: Serialize, F: Future<Output = Result<V, Problem>>>(
    app: &App,
    request: &Request,
    list: &str,
    view: impl Fn(T) -> F,
) -> Result<Response, Problem> {
    list_among(app, request, (list, Ids::ALL), view).await
}

/// A page of the items whose ids are in a range.
pub async fn list_among<T: Controlled, V: Serialize, F: Future<Output = Result<V, Problem>>>(
    app: &App,
    request: &Request,
    (list, ids): (&str, Ids),
    view: impl Fn(T) -> F,
) -> Result<Response, Problem> {
    let page = app.store.page::<T>(ids, request.limit()?, request.position(list)?.as_deref()).await?;
    let view = &view;
    // All items concurrently, because a view may call KMS.
    let items = page.items.into_iter().map(|item| async move {
        let shown = match item {
            Ok(item) => to_raw_value(&view(item).await?),
            Err((id, error)) => {
                tracing::error!(item = id, cause = causes(&error), "an item of a list can't be read");
                stub(&id)
            }
        };
        shown.map_err(Problem::internal)
    });
    respond::page(try_join_all(items).await?, request.cursor(list, page.next))
}

/// True if the caller may see secrets and the URLs that hold them.
pub fn sees_secrets(request: &Request) -> bool {
    request.key().is_some_and(|key| key.scope == Scope::Admin)
}
