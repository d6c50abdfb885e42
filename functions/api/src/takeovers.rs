//! Takeovers: requests for a human operator, to be claimed and closed.

use crate::{CURSOR, LIMIT, OPERATE, READ};
use http::{Method, StatusCode};
use models::{
    Takeover, TakeoverId, TakeoverState,
    records::{Claimant, RecordKind, StoredTakeover},
};
use runtime::{
    App, Body, Call, Code, Function, Problem, Query, QueryValue, Reply, Route, input,
    store::{
        Item, StoreError, from_item,
        keys::Key,
        list::{END, Entry},
        records::TakeoverChange,
    },
};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

pub static FUNCTION: Function = Function {
    name: "api-takeovers",
    routes: &[
        Route {
            method: Method::GET,
            path: "/v1/takeovers",
            access: READ,
            summary: "List the requests for a human operator",
            query: &[
                Query {
                    name: "state",
                    description: "Only those in this state: `open`, `claimed` or `closed`.",
                    value: QueryValue::OneOf(TakeoverState::NAMES),
                },
                LIMIT,
                CURSOR,
            ],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::page_of_any(schema_for!(Takeover)))),
            handler: |app, call| Box::pin(list(app, call)),
        },
        Route {
            method: Method::GET,
            path: "/v1/takeovers/{id}",
            access: READ,
            summary: "Get a request for a human operator",
            query: &[],
            body: Body::None,
            success: (StatusCode::OK, Some(|| crate::schema_or_id(schema_for!(Takeover)))),
            handler: |app, call| Box::pin(get(app, call)),
        },
        Route {
            method: Method::PATCH,
            path: "/v1/takeovers/{id}",
            access: OPERATE,
            summary: "Claim, close or reopen a request for a human operator",
            query: &[],
            body: Body::Required(|| schema_for!(NewState)),
            success: (StatusCode::OK, Some(|| schema_for!(Takeover))),
            handler: |app, call| Box::pin(change(app, call)),
        },
    ],
    direct: None,
    settings: Vec::new,
};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NewState {
    state: TakeoverState,
}

async fn list(app: &App, call: Call) -> Result<Reply, Problem> {
    let parse = |text: String| TakeoverState::parse(&text);
    let state = match call.query("state") {
        Some(text) => {
            let state = parse(text).ok_or_else(|| Problem::invalid_query("state", "is not open, claimed or closed"))?;
            Some(state)
        }
        None => None,
    };
    let until = call.position("takeovers")?.unwrap_or_else(|| END.to_owned());
    let listing = app.store.records(RecordKind::Takeover, TakeoverId::PREFIX.to_owned(), until);
    let show = |item: Item| -> Result<Option<Box<RawValue>>, StoreError> {
        let takeover = from_item::<StoredTakeover>(item)?.into_takeover();
        let wanted = state.is_none_or(|state| takeover.state == state);
        Ok(if wanted { Some(to_raw_value(&takeover)?) } else { None })
    };
    let id = |entry: &Entry| state.is_none().then(|| entry.pk.clone());
    let page = app.store.page_of(listing, call.limit()?, |_| true, id, show).await?;
    Reply::page(page.items, call.cursor("takeovers", page.next))
}

async fn get(app: &App, call: Call) -> Result<Reply, Problem> {
    let id: TakeoverId = call.id("takeover")?;
    let show = |takeover: StoredTakeover| Ok(Some(to_raw_value(&takeover.into_takeover())?));
    crate::reply_or_id(id.as_str(), "takeover", app.store.record(id.as_str()).await, show)
}

async fn change(app: &App, call: Call) -> Result<Reply, Problem> {
    let id: TakeoverId = call.id("takeover")?;
    let wanted: NewState = input::body(&call, &schema_for!(NewState))?;
    let changed = match wanted.state {
        TakeoverState::Claimed => return claim(app, &call, &id).await,
        state => app.store.set_takeover_state(&id, state, call.now).await?,
    };
    match changed {
        TakeoverChange::Missing => Err(Problem::not_found("takeover")),
        TakeoverChange::Changed(takeover) | TakeoverChange::Unchanged(takeover) => Reply::ok(&takeover.into_takeover()),
    }
}

async fn claim(app: &App, call: &Call, id: &TakeoverId) -> Result<Reply, Problem> {
    let claimant = claimant(app, call).await?;
    match app.store.claim_takeover(id, &claimant, call.now).await? {
        TakeoverChange::Missing => Err(Problem::not_found("takeover")),
        TakeoverChange::Changed(takeover) => Reply::ok(&takeover.into_takeover()),
        TakeoverChange::Unchanged(takeover) => match &takeover.claimed_by {
            Some(other) if other.key == claimant.key => Reply::ok(&takeover.into_takeover()),
            Some(other) => {
                let detail =
                    format!("claimed by {} since {}; to hand it on, reopen it", other.name, takeover.updated_at);
                Err(Problem::new(Code::Conflict, detail))
            }
            None => Err(Problem::new(Code::Conflict, "the takeover is closed; reopen it before you claim it")),
        },
    }
}

/// The caller, by the name that its key has.
async fn claimant(app: &App, call: &Call) -> Result<Claimant, Problem> {
    let id = call.key.as_ref().map(|key| &key.id).ok_or_else(|| Problem::internal("a route without a key"))?;
    let key: Option<Key> = app.store.find(id.as_str()).await?;
    // A warm process may remember a key for a minute after its deletion.
    let key = key.ok_or_else(|| Problem::unauthorized("no such key"))?;
    Ok(Claimant { key: key.id, name: key.name })
}
