//! Functions as Lambda runs them: processes behind the Runtime API.

mod event_files;
mod invocations;
mod metrics;
mod stalled_store;
mod trusted_roots;
