//! What every function stands on: settings, the store, keys, errors, sealing, and the glue between a handler and the
//! door it is called through. Architecture invariant: nothing here knows a platform.

pub mod action;
pub mod app;
pub mod auth;
pub mod aws;
pub mod cache;
pub mod client;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod cursor;
pub mod deadline;
pub mod encoding;
pub mod function;
mod gateway;
pub mod history;
pub mod input;
pub mod lambda;
pub mod log;
pub mod mask;
pub mod metrics;
pub mod platform;
pub mod problem;
mod query;
pub mod queue;
pub mod receive;
pub mod reply;
pub mod retry;
pub mod schema;
pub mod seal;
pub mod store;
pub mod turn;

pub use action::Acting;
pub use app::App;
pub use function::{Access, Body, Call, Function, Query, QueryValue, Reply, Route};
pub use platform::{Connector, Platform, Registrar};
pub use problem::{Code, Fault, Problem};
pub use retry::Retry;

/// For what [`action!`] writes.
#[doc(hidden)]
pub use models;
