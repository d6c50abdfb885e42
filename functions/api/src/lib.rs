//! The API: connections, hooks, keys, and what the events told. One function a resource.

pub mod checkpoint_records;
pub mod connections;
pub mod events;
pub mod hooks;
pub mod keys;
pub mod modules;
mod openapi;
pub mod routes;
pub mod subscribers;
pub mod takeovers;

use runtime::{Access, Function, Query, auth::Scope};

/// The functions of the API.
pub static FUNCTIONS: &[&Function] = &[
    &connections::FUNCTION,
    &hooks::FUNCTION,
    &events::FUNCTION,
    &subscribers::FUNCTION,
    &checkpoint_records::FUNCTION,
    &takeovers::FUNCTION,
    &routes::FUNCTION,
    &keys::FUNCTION,
    &modules::FUNCTION,
];

/// Every function that is called over HTTP.
pub fn http_functions() -> impl Iterator<Item = &'static Function> {
    registry::functions().chain(FUNCTIONS.iter().copied())
}

const READ: Access = Access::Key(Scope::Read);
const ADMIN: Access = Access::Key(Scope::Admin);

const LIMIT: Query = Query { name: "limit", description: "How many items a page has: 1 to 100, by default 20." };
const CURSOR: Query = Query { name: "cursor", description: "The `next` of the page before." };
const AFTER: Query = Query { name: "after", description: "Only what came after this RFC 3339 time." };
const BEFORE: Query = Query { name: "before", description: "Only what came before this RFC 3339 time." };

/// JSON Schema of a page of a list.
fn page_of(items: schemars::Schema) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "required": ["items", "next"],
        "properties": { "items": { "type": "array", "items": items }, "next": { "type": ["string", "null"] } },
    })
}
