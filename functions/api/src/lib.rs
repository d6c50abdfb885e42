//! The API: connections, hooks, routes, deliveries, keys, and the records derived from events. One function per
//! resource.

mod batches;
pub mod checkpoint_records;
pub mod connections;
mod control;
pub mod deliveries;
pub mod events;
pub mod hooks;
pub mod keys;
pub mod metrics;
mod raw;
mod references;
mod rotation;
pub mod routes;
pub mod subscribers;
pub mod takeovers;

use app::Function;
use models::{Fault, Scope, Timestamp};
use schemars::{JsonSchema, Schema, json_schema, schema_for};
use serde_json::{Value, value::RawValue};
use store::{
    StoreError,
    list::{ItemStub, json_or_stub},
};
use web::{Access, Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

/// The functions of the API.
pub static FUNCTIONS: &[&Function] = &[
    &connections::FUNCTION,
    &hooks::FUNCTION,
    &events::FUNCTION,
    &subscribers::FUNCTION,
    &checkpoint_records::FUNCTION,
    &takeovers::FUNCTION,
    &routes::FUNCTION,
    &deliveries::FUNCTION,
    &keys::FUNCTION,
    &metrics::FUNCTION,
];

const READ: Access = Access::Key(Scope::Read);
const OPERATE: Access = Access::Key(Scope::Operate);
const ADMIN: Access = Access::Key(Scope::Admin);

const LIMIT: Query = Query {
    name: "limit",
    description: "Number of items per page: 1 to 100, by default 20.",
    value: QueryValue::Limit,
};
const CURSOR: Query =
    Query { name: "cursor", description: "The `next` of the previous page.", value: QueryValue::Cursor };
const AFTER: Query =
    Query { name: "after", description: "Only items after this RFC 3339 time.", value: QueryValue::Time };
const BEFORE: Query =
    Query { name: "before", description: "Only items before this RFC 3339 time.", value: QueryValue::Time };

const VIEW: Query = Query {
    name: "view",
    description: "`summary` leaves out bodies, and the platform's own object of the person.",
    value: QueryValue::OneOf(&["summary"]),
};

/// True if a list is requested without the bodies of its items.
fn is_summary(request: &Request) -> Result<bool, Problem> {
    match request.query("view").as_deref() {
        None => Ok(false),
        Some("summary") => Ok(true),
        Some(_) => Err(Problem::invalid_query("view", "must be summary or left out")),
    }
}

/// The answer for an item that was read by its id: the item, or only the id if it is unreadable or too large.
fn reply_or_id<T>(
    id: &str,
    kind: &str,
    read: Result<Option<T>, StoreError>,
    show: impl FnOnce(T) -> Result<Option<Box<RawValue>>, StoreError>,
) -> Result<Response, Problem> {
    let shown = match read {
        Err(error) if !matches!(error, StoreError::Malformed(_)) => return Err(error.into()),
        read => read.and_then(|item| item.map_or(Ok(None), show)),
    };
    let shown = json_or_stub(shown, || Some(id.to_owned()));
    respond::ok(&shown.ok_or_else(|| Problem::not_found(kind))?)
}

/// JSON Schema of a page whose items may be too large to be shown.
fn page_of_any<T: JsonSchema>() -> Schema {
    page_of(schema_or_id::<T>())
}

/// JSON Schema of an item that may be too large to be shown.
fn schema_or_id<T: JsonSchema>() -> Schema {
    json_schema!({ "anyOf": [schema_for!(T), schema_for!(ItemStub<'_>)] })
}

/// JSON Schema of a page of a list.
pub fn page_of(items: Schema) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["items", "next"],
        "properties": { "items": { "type": "array", "items": items }, "next": { "type": ["string", "null"] } },
    })
}

/// Faults of a body's `after` and `before` that its schema can't express.
fn span_faults(body: &Value) -> Vec<Fault> {
    let time = |name: &str| body[name].as_str().map(Timestamp::parse);
    let (after, before) = (time("after"), time("before"));
    let unread = [("/after", after), ("/before", before)].into_iter().filter(|(_, time)| *time == Some(None));
    let mut faults: Vec<Fault> = unread.map(|(at, _)| Fault::new(at, "must be an RFC 3339 time")).collect();
    if let (Some(Some(after)), Some(Some(before))) = (after, before)
        && before <= after
    {
        faults.push(Fault::new("/before", "must be later than `after`"));
    }
    faults
}
