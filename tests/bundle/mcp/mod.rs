//! The MCP server: its protocol, and its tools.

mod actions;
mod protocol;
mod reads;
mod schemas;
