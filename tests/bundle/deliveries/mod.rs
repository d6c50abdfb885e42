//! Deliveries: attempts, retries, failing routes, dead letters, replays.

mod attempts;
mod aws_targets;
mod bad_targets;
mod batch;
mod circuit_breaker;
mod conformance;
mod exact_numbers;
mod failing_routes;
mod first_attempt;
mod incidents;
mod list_filters;
mod lists;
mod long_waits;
mod loops;
mod manual_retries;
mod odd_receivers;
mod process_kill;
mod queue;
mod replay;
mod retry_policy;
mod slow_target;
mod standard_webhooks_library;
mod subscriptions;
mod to_actions;
