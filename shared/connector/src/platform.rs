//! The statement of a platform. A platform is one folder that makes this statement, and one line in the registry.

use app::App;
use models::{Fault, HookId, Module};
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{future::Future, pin::Pin};
use web::{Problem, settings::Setting};

/// The modules of a platform, each of one file: declares the files, and lists their statements and functions.
#[macro_export]
macro_rules! modules {
    ($($module:ident,)*) => {
        $(pub mod $module;)*

        static MODULES: &[$crate::models::Module] = &[$($module::MODULE),*];

        pub static FUNCTIONS: &[&$crate::Function] = &[$(&$module::FUNCTION),*];
    };
}

/// What a reader needs to know of a platform. It is apart from what calls the platform, so that reading links none of that.
#[derive(Debug)]
pub struct Platform {
    pub name: &'static str,
    pub label: &'static str,
    /// JSON Schema of a connection's credentials. Every one is a secret.
    pub credentials: fn() -> Schema,
    /// Whether a connection can do without credentials.
    pub credentials_optional: bool,
    pub modules: &'static [Module],
    pub settings: &'static [Setting],
}

/// What a platform's connections are made and tested with.
#[derive(Debug)]
pub struct Connector {
    pub platform: &'static Platform,
    /// What credentials are held against besides their schema.
    pub review: fn(&App, &Map<String, Value>) -> Result<Review, Problem>,
    /// For the platform that takes a secret of its user's own making.
    pub generated: Option<Generated>,
    /// Asks the platform whether credentials work.
    pub test: for<'a> fn(&'a App, Value) -> Working<'a, Tested>,
}

/// What a look at credentials found, each with a pointer into them.
#[derive(Debug, Default)]
pub struct Review {
    /// Why they can't be used.
    pub faults: Vec<Fault>,
    /// Why they should better not be.
    pub warnings: Vec<Fault>,
}

/// For a platform whose credentials' schema tells everything.
pub fn no_review(_: &App, _: &Map<String, Value>) -> Result<Review, Problem> {
    Ok(Review::default())
}

/// A credential that can be made here.
#[derive(Debug)]
pub struct Generated {
    pub credential: &'static str,
    pub make: fn() -> Result<String, Problem>,
}

pub type Working<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// Tells a platform of a trigger's hooks, through its API.
#[derive(Debug)]
pub struct Registrar {
    /// The trigger's name.
    pub trigger: &'static str,
    /// What to do while the platform has not said whether it has the hook; once it has; after a rotation; and if it
    /// can't be told.
    pub pending: &'static str,
    pub registered: &'static str,
    pub stale: &'static str,
    pub manual: &'static str,
    /// Tells the platform of a hook, which answers its verification while that runs. The webhook's id there; none if the
    /// platform has no way to be told.
    pub register: for<'a> fn(&'a App, &'a Value, Webhook) -> Working<'a, Option<String>>,
    /// Finds the id of the webhook whose URL is a hook's, with whichever of its tokens.
    pub find: for<'a> fn(&'a App, &'a Value, &'a HookId) -> Working<'a, Option<String>>,
    /// Has the platform forget a webhook, which may be gone already.
    pub remove: for<'a> fn(&'a App, &'a Value, String) -> Working<'a, ()>,
}

/// A hook as a platform is told of it.
#[derive(Debug)]
pub struct Webhook {
    pub name: String,
    pub url: String,
    /// What the platform sends back when it verifies the URL.
    pub token: String,
}

/// What a test of a connection found. Credentials that the platform refuses are a problem, not an outcome.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tested {
    /// Null where the platform has no way to find out without changing something.
    pub ok: Option<bool>,
    pub detail: String,
}
