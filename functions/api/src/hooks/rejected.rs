//! `GET /v1/hooks/{id}/rejected`: the calls with a valid token that could not become events, with their bodies.

use super::find;
use models::{RejectedId, Timestamp};
use runtime::{
    App, Call, Problem, Reply,
    store::{Item, StoreError, events::RejectedCall, from_item, list::Entry},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

#[derive(Serialize, JsonSchema)]
pub struct Rejected {
    id: RejectedId,
    at: Timestamp,
    /// Why, as a code: that of the answer, or `hook_disabled`.
    code: String,
    detail: String,
    content_type: Option<String>,
    /// How many bytes the body had.
    bytes: u64,
    /// The body as text; null when it was too large, or when a person in it was erased.
    body: Option<String>,
}

pub async fn list(app: &App, call: Call) -> Result<Reply, Problem> {
    let hook = find(app, &call).await?;
    let listing = app.store.rejected(&hook.connection, call.position("rejected")?);
    let of_hook = |entry: &Entry| RejectedCall::is_of(&hook.id, &entry.sort);
    let page = app.store.page_of(listing, call.limit()?, of_hook, show).await?;
    Reply::page(page.items, call.cursor("rejected", page.next))
}

fn show(item: Item) -> Result<Option<Box<RawValue>>, StoreError> {
    let call: RejectedCall = from_item(item)?;
    let shown = Rejected {
        at: call.pk.time(),
        id: call.pk,
        code: call.code,
        detail: call.detail,
        content_type: call.content_type,
        bytes: call.bytes,
        body: call.body.map(|body| String::from_utf8_lossy(&body).into_owned()),
    };
    Ok(Some(to_raw_value(&shown)?))
}
