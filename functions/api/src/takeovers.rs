//! Takeovers: requests for a human operator, to be claimed and closed.

use crate::{CURSOR, LIMIT, OPERATE, READ};
use app::{App, Function, Route};
use http::StatusCode;
use models::{
    Takeover, TakeoverId, TakeoverState,
    records::{Claimant, RecordKind, StoredTakeover},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use store::{
    Item, StoreError, from_item,
    keys::Key,
    list::{Entry, HIGHEST_SORT_KEY},
    records::TakeoverChange,
};
use web::{Code, Problem, Query, QueryValue, Request, RequestExt as _, Response, input, respond};

pub static FUNCTION: Function =
    Function { name: "api-takeovers", routes: &[LIST, GET, CHANGE], direct: None, settings: Vec::new };

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NewState {
    state: TakeoverState,
}

pub const LIST: Route = Route::get("/v1/takeovers", READ, "List requests for a human operator", |app, request| {
    Box::pin(list(app, request))
})
.with_query(&[
    Query {
        name: "state",
        description: "Only requests in this state: `open`, `claimed` or `closed`.",
        value: QueryValue::OneOf(TakeoverState::NAMES),
    },
    LIMIT,
    CURSOR,
])
.answers_with(StatusCode::OK, crate::page_of_any::<Takeover>);

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    let parse = |text: String| TakeoverState::parse(&text);
    let state = match request.query("state") {
        Some(text) => {
            let state =
                parse(text).ok_or_else(|| Problem::invalid_query("state", "must be open, claimed or closed"))?;
            Some(state)
        }
        None => None,
    };
    let until = request.position("takeovers")?.unwrap_or_else(|| HIGHEST_SORT_KEY.to_owned());
    let listing = app.store.records(RecordKind::Takeover, TakeoverId::PREFIX.to_owned(), until);
    let show = |item: Item| -> Result<Option<Box<RawValue>>, StoreError> {
        let takeover = from_item::<StoredTakeover>(item)?.into_takeover();
        let wanted = state.is_none_or(|state| takeover.state == state);
        Ok(if wanted { Some(to_raw_value(&takeover)?) } else { None })
    };
    let id = |entry: &Entry| state.is_none().then(|| entry.pk.clone());
    let page = app.store.page_of(listing, request.limit()?, |_| true, id, show).await?;
    respond::page(page.items, request.cursor("takeovers", page.next))
}

const GET: Route = Route::get("/v1/takeovers/{id}", READ, "Get a request for a human operator", |app, request| {
    Box::pin(get(app, request))
})
.answers_with(StatusCode::OK, crate::schema_or_id::<Takeover>);

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let id: TakeoverId = request.id("takeover")?;
    let show = |takeover: StoredTakeover| Ok(Some(to_raw_value(&takeover.into_takeover())?));
    crate::reply_or_id(id.as_str(), "takeover", app.store.record(id.as_str()).await, show)
}

pub const CHANGE: Route = Route::patch(
    "/v1/takeovers/{id}",
    OPERATE,
    "Claim, close or reopen a request for a human operator",
    |app, request| Box::pin(change(app, request)),
)
.takes::<NewState>()
.answers::<Takeover>();

async fn change(app: &App, request: Request) -> Result<Response, Problem> {
    let id: TakeoverId = request.id("takeover")?;
    let wanted: NewState = input::body(&request)?;
    let changed = match wanted.state {
        TakeoverState::Claimed => return claim(app, &request, &id).await,
        state => app.store.set_takeover_state(&id, state, request.now()).await?,
    };
    match changed {
        TakeoverChange::Missing => Err(Problem::not_found("takeover")),
        TakeoverChange::Changed(takeover) | TakeoverChange::Unchanged(takeover) => {
            respond::ok(&takeover.into_takeover())
        }
    }
}

async fn claim(app: &App, request: &Request, id: &TakeoverId) -> Result<Response, Problem> {
    let claimant = claimant(app, request).await?;
    match app.store.claim_takeover(id, &claimant, request.now()).await? {
        TakeoverChange::Missing => Err(Problem::not_found("takeover")),
        TakeoverChange::Changed(takeover) => respond::ok(&takeover.into_takeover()),
        TakeoverChange::Unchanged(takeover) => match &takeover.claimed_by {
            Some(other) if other.key == claimant.key => respond::ok(&takeover.into_takeover()),
            Some(other) => {
                let detail =
                    format!("claimed by {} since {}; reopen it to hand it over", other.name, takeover.updated_at);
                Err(Problem::new(Code::Conflict, detail))
            }
            None => Err(Problem::new(Code::Conflict, "the takeover is closed; reopen it before you claim it")),
        },
    }
}

/// The caller's key, with its name.
async fn claimant(app: &App, request: &Request) -> Result<Claimant, Problem> {
    let id = request.key().map(|key| &key.id).ok_or_else(|| Problem::internal("a route is open without a key"))?;
    let key: Option<Key> = app.store.find(id.as_str()).await?;
    // A warm process may cache a key for a minute after its deletion.
    let key = key.ok_or_else(|| Problem::unauthorized("no such key"))?;
    Ok(Claimant { key: key.id, name: key.name })
}
