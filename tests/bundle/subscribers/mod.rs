//! Subscribers, checkpoint records, takeovers, and erasing a person.

mod checkpoint_records;
mod erasure;
mod erasure_of_deliveries;
mod erasure_search;
mod platform_ids;
mod takeovers;
