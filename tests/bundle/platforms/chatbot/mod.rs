//! ChatBot.

mod action_fields;
mod call_api;
mod call_api_bytes;
mod call_api_secrets;
mod connection_test;
mod hook_changed_during_registration;
mod hook_registration_failures;
mod hooks;
mod messages;
mod odd_answers;
mod reply;
mod search_users;
mod secrets;
mod stories;
mod users;
