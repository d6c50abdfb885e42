//! Takeovers: requests for a human operator, to be claimed and closed.

use crate::{CURSOR, LIMIT, OPERATE, READ};
use http::{Method, StatusCode};
use models::{
    Takeover, TakeoverId, TakeoverState,
    records::{RecordKind, StoredTakeover},
};
use runtime::{
    App, Body, Call, Function, Problem, Query, QueryValue, Reply, Route, input,
    store::{
        Item, StoreError, from_item,
        list::{END, Entry},
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
            body: Body::Required(|| schema_for!(TakeoverChange)),
            success: (StatusCode::OK, Some(|| schema_for!(Takeover))),
            handler: |app, call| Box::pin(change(app, call)),
        },
    ],
    direct: None,
    settings: Vec::new,
};

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct TakeoverChange {
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
    let change: TakeoverChange = input::body(&call, &schema_for!(TakeoverChange))?;
    let takeover = app.store.set_takeover_state(&id, change.state, call.now).await?;
    Reply::ok(&takeover.ok_or_else(|| Problem::not_found("takeover"))?.into_takeover())
}
