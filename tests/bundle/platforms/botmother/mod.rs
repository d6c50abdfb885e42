//! Botmother.

mod answers;
mod connections;
mod secrets;
mod send_event;
mod split_events;
mod watch_request;
