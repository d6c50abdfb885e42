//! BotDistrikt.

mod connections;
mod hooks;
mod messages;
mod registration;
mod registration_failures;
mod subscribers;
