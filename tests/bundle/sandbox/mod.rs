//! The platforms as the sandbox plays them.

pub mod botdistrikt;
mod botmother;
pub mod chatbot;
mod faults;
