//! `GET /v1/hooks/{id}/rejected`: calls with a valid token that could not become events, with their bodies.

use crate::{CURSOR, LIMIT, READ, VIEW, control};
use app::{App, Route};
use data_encoding::BASE64;
use http::StatusCode;
use models::{RejectedId, Timestamp, envelope::MAX_SHOWN_BYTES};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use store::{Item, StoreError, events::RejectedCall, from_item, hooks::Hook, list::Entry};
use web::{Problem, Request, RequestExt as _, Response, respond};

#[derive(Serialize, JsonSchema)]
pub struct Rejected {
    id: RejectedId,
    at: Timestamp,
    /// The code of the answer, or `hook_disabled`.
    code: String,
    detail: String,
    content_type: Option<String>,
    /// Size of the body in bytes.
    bytes: u64,
    /// The body. Null if it was too large, if a person in it was erased, in a summary, and if `truncated` is true.
    body: Option<String>,
    /// `utf-8`, or `base64` for a body that is not UTF-8 text; null without a body.
    body_encoding: Option<&'static str>,
    /// True for a call of over 1 MB as JSON: `/raw` returns its body.
    truncated: bool,
}

impl Rejected {
    fn of(call: RejectedCall, with_body: bool) -> Self {
        let body = call.body.filter(|_| with_body).map(|body| match String::from_utf8(body) {
            Ok(text) => (text, "utf-8"),
            Err(error) => (BASE64.encode(error.as_bytes()), "base64"),
        });
        let (body, body_encoding) = body.unzip();
        Self {
            at: call.pk.time(),
            id: call.pk,
            code: call.code,
            detail: call.detail,
            content_type: call.content_type,
            bytes: call.bytes,
            body,
            body_encoding,
            truncated: false,
        }
    }
}

pub const LIST: Route =
    Route::get("/v1/hooks/{id}/rejected", READ, "List the calls that a hook rejected", |app, request| {
        Box::pin(list(app, request))
    })
    .with_query(&[VIEW, LIMIT, CURSOR])
    .answers_with(StatusCode::OK, crate::page_of_any::<Rejected>);

pub async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = control::find::<Hook>(app, &request).await?;
    let with_body = !crate::is_summary(&request)?;
    let listing = app.store.rejected(&hook.connection, request.position("rejected")?);
    let of_hook = |entry: &Entry| RejectedCall::belongs_to(&hook.id, &entry.sort);
    let id = |entry: &Entry| Some(entry.pk.clone());
    let page = app.store.page_of(listing, request.limit()?, of_hook, id, |item| show(item, with_body)).await?;
    respond::page(page.items, request.cursor("rejected", page.next))
}

fn show(item: Item, with_body: bool) -> Result<Option<Box<RawValue>>, StoreError> {
    let shown = Rejected::of(from_item(item)?, with_body);
    let json = to_raw_value(&shown)?;
    if json.get().len() <= MAX_SHOWN_BYTES {
        return Ok(Some(json));
    }
    Ok(Some(to_raw_value(&Rejected { body: None, body_encoding: None, truncated: true, ..shown })?))
}

pub const RAW: Route = Route::get(
    "/v1/hooks/{id}/rejected/{rejected_id}/raw",
    READ,
    "Download a rejected call's body as it was received",
    |app, request| Box::pin(raw(app, request)),
)
.answers_with(StatusCode::OK, crate::raw::schema);

pub async fn raw(app: &App, request: Request) -> Result<Response, Problem> {
    let hook = control::find::<Hook>(app, &request).await?;
    let missing = || Problem::not_found("rejected call with a body");
    let id: RejectedId = request.param("rejected_id").parse().map_err(|_| missing())?;
    let rejected =
        app.store.rejected_call(&id).await?.filter(|request| RejectedCall::belongs_to(&hook.id, &request.sort));
    let RejectedCall { body: Some(body), encoding, .. } = rejected.ok_or_else(missing)? else { return Err(missing()) };
    crate::raw::reply(id.as_str(), body, encoding.as_deref())
}
