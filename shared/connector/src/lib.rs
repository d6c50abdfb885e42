//! The kit for a platform's author: definitions of triggers and actions, receiving of webhooks, connections, the HTTP
//! client, and registration of hooks at the platform. Architecture invariant: no code here knows a platform.

pub mod action;
pub mod bearer_api;
pub mod call_api;
mod content;
mod lease;
pub mod list;
pub mod platform;
mod query;
pub mod receive;
pub mod reply;
pub mod settings;

pub use action::ActionContext;
pub use app::{App, Function, Handler, Route, lambda};
pub use client::{self, mask};
pub use models::Fault;
pub use platform::{Connector, Platform, Registrar};
pub use web::{
    Access, Body, Code, Problem, Query, QueryValue, Request, RequestExt, Response, Retry, respond,
    settings::{Setting, SettingKind},
};

/// Used by the code that [`action!`] and [`trigger!`] generate.
#[doc(hidden)]
pub use models;
