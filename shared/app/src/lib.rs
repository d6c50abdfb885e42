//! One process of Switchboard: its configuration, the clients and caches that its handlers share, authorisation, and
//! the Lambda loop. Architecture invariant: no code here knows a platform.

mod authorize;
pub mod config;
pub mod connections;
pub mod functions;
pub mod lambda;
pub mod log;
mod state;

pub use authorize::check_scope;
pub use config::Config;
pub use state::App;

pub type Function = web::Function<App>;
pub type Route = web::Route<App>;
pub type Router = web::Router<App>;
pub type Handler = web::Handler<App>;
