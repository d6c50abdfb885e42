//! Helpers of the tests.

pub mod action_calls;
pub mod agent;
pub mod assertions;
pub mod aws_services;
pub mod botdistrikt;
pub mod botmother;
pub mod botstar;
pub mod chatbot;
pub mod chatbot_hooks;
pub mod delivery_worker;
pub mod documents;
pub mod functions;
pub mod harness;
pub mod idempotent_calls;
pub mod in_process;
pub mod load;
pub mod log;
pub mod platforms;
pub mod raw_socket;
pub mod receiver;
pub mod scale;
pub mod signature;
pub mod sqs;
pub mod target;
pub mod template;
pub mod variables;
