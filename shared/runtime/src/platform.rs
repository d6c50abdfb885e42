//! The statement of a platform. A platform is one folder that makes this statement, and one line in the registry.

use crate::{App, Function, Problem};
use models::Module;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::Value;
use std::{future::Future, pin::Pin};

#[derive(Debug)]
pub struct Platform {
    pub name: &'static str,
    pub label: &'static str,
    /// JSON Schema of a connection's credentials. Every one is a secret.
    pub credentials: fn() -> Schema,
    /// Whether a connection can do without credentials.
    pub credentials_optional: bool,
    pub modules: &'static [Module],
    pub functions: &'static [&'static Function],
    /// Asks the platform whether credentials work.
    pub test: for<'a> fn(&'a App, Value) -> Testing<'a>,
}

pub type Testing<'a> = Pin<Box<dyn Future<Output = Result<Tested, Problem>> + Send + 'a>>;

/// What a test of a connection found. Credentials that the platform refuses are a problem, not an outcome.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tested {
    pub ok: bool,
    pub detail: String,
}
