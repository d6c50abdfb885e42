//! The HTTP API: connections, hooks, keys, lists, errors, the OpenAPI document, the console.

mod answer_headers;
mod bad_input;
mod compression;
mod connections;
mod console;
mod hooks;
mod key_ends;
mod keys;
mod last_admin_key;
mod lists;
mod metrics_history;
mod openapi;
mod openapi_routes;
mod openapi_types;
mod reference_races;
mod references;
mod rotation;
mod secrets;
mod shape;
