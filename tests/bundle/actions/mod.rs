//! Actions: the answers of their platforms, idempotency keys, secrets.

mod idempotency;
mod idempotency_every_action;
mod idempotency_store_failures;
mod platform_answers;
mod secrets;
