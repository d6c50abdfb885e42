//! The platforms as the sandbox plays them.

mod botdistrikt;
mod botmother;
mod botstar;
mod chatbot;
mod faults;
