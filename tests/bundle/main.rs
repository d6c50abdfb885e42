//! The workspace's integration tests.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test says what it expects by panicking")]

mod accept;
mod bad_input;
mod bad_webhooks;
mod chatbot;
mod chatbot_action_secrets;
mod chatbot_actions;
mod chatbot_answers;
mod chatbot_call_api;
mod chatbot_fields;
mod chatbot_hooks;
mod chatbot_messages;
mod chatbot_registration;
mod chatbot_reply;
mod chatbot_search;
mod chatbot_secrets;
mod chatbot_stories;
mod chatbot_users;
mod checks;
mod connections;
mod crash;
mod dedupe;
mod direct;
mod dispatch;
mod erase;
mod hooks;
mod idempotency;
mod idempotency_store;
mod keyed;
mod keys;
mod lists;
mod openapi;
mod process;
mod readme;
mod remap;
mod sandbox;
mod sandbox_botdistrikt;
mod sandbox_botmother;
mod sandbox_faults;
mod secrets;
mod stage;
mod statements;
mod template;
