//! The MCP server: its protocol, and its tools.

mod actions;
mod events;
mod protocol;
mod reads;
mod refused_events;
mod schemas;
