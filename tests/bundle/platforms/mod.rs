//! The modules of each platform.

mod botdistrikt;
mod botmother;
mod botstar;
mod chatbot;
