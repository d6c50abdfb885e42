//! Definition of a platform. A platform is one folder with this definition, and one line in the registry.

use app::App;
use models::{Fault, HookId, Module};
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{future::Future, pin::Pin};
use web::{Problem, settings::Setting};

/// Declares the modules of a platform, one file each, and lists their definitions and functions.
#[macro_export]
macro_rules! modules {
    ($($module:ident,)*) => {
        $(pub mod $module;)*

        static MODULES: &[$crate::models::Module] = &[$($module::MODULE),*];

        pub static FUNCTIONS: &[&$crate::Function] = &[$(&$module::FUNCTION),*];
    };
}

/// Definition of a platform for readers. It is separate from the code that calls the platform, so that readers do not
/// link it.
#[derive(Debug)]
pub struct Platform {
    pub name: &'static str,
    pub label: &'static str,
    /// JSON Schema of a connection's credentials. All of them are secrets.
    pub credentials: fn() -> Schema,
    /// True if a connection can exist without credentials.
    pub credentials_optional: bool,
    pub modules: &'static [Module],
    pub settings: &'static [Setting],
}

/// The parts of a platform that create and test connections.
#[derive(Debug)]
pub struct Connector {
    pub platform: &'static Platform,
    /// Checks credentials beyond their schema.
    pub review: fn(&App, &Map<String, Value>) -> Result<Review, Problem>,
    /// Set for a platform whose secret the user chooses.
    pub generated: Option<GeneratedCredential>,
    /// Checks at the platform that credentials work.
    pub test: for<'a> fn(&'a App, Value) -> PlatformFuture<'a, ConnectionTest>,
}

/// Result of checking credentials, with pointers into them.
#[derive(Debug, Default)]
pub struct Review {
    /// Reasons why they can't be used.
    pub faults: Vec<Fault>,
    /// Reasons to replace them.
    pub warnings: Vec<Fault>,
}

/// For a platform whose schema expresses all checks of credentials.
pub fn no_review(_: &App, _: &Map<String, Value>) -> Result<Review, Problem> {
    Ok(Review::default())
}

/// A credential that Switchboard can generate.
#[derive(Debug)]
pub struct GeneratedCredential {
    pub credential: &'static str,
    pub make: fn() -> Result<String, Problem>,
}

pub type PlatformFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// Registers a trigger's hooks at a platform, through its API.
#[derive(Debug)]
pub struct Registrar {
    /// The trigger's name.
    pub trigger: &'static str,
    /// Setup instructions for each state of the registration: unknown, registered, stale after a rotation, and manual.
    pub pending: &'static str,
    pub registered: &'static str,
    pub stale: &'static str,
    pub manual: &'static str,
    /// Registers a hook at the platform, which verifies the hook's URL meanwhile. Returns the webhook's id there, or
    /// none if the platform can't be called.
    pub register: for<'a> fn(&'a App, &'a Value, WebhookRegistration) -> PlatformFuture<'a, Option<String>>,
    /// Finds the id of the webhook with the hook's URL, with any of its tokens.
    pub find: for<'a> fn(&'a App, &'a Value, &'a HookId) -> PlatformFuture<'a, Option<String>>,
    /// Deletes a webhook at the platform. It may be gone already.
    pub remove: for<'a> fn(&'a App, &'a Value, String) -> PlatformFuture<'a, ()>,
}

/// The data that a hook is registered with.
#[derive(Debug)]
pub struct WebhookRegistration {
    pub name: String,
    pub url: String,
    /// Token that the platform sends back when it verifies the URL.
    pub token: String,
}

/// Result of testing a connection. Credentials that the platform rejects are a problem, not a result.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConnectionTest {
    /// Null if the platform offers no way to test without changing something.
    pub ok: Option<bool>,
    pub detail: String,
}
