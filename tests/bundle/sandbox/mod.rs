//! The platforms as the sandbox plays them.

mod botdistrikt;
mod botmother;
mod chatbot;
mod faults;
