//! Webhooks that arrive: envelopes, bodies, deduplication, and whatever a sender may get wrong.

mod bad_webhooks;
mod dedupe;
mod fuzz;
mod kept_bodies;
mod odd_bodies;
mod webhooks;
