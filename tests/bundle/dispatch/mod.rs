//! The stream of events, folded into subscribers and records.

mod batch_of_people;
mod hot_partitions;
mod memory;
mod projection;
mod redispatch;
mod remap;
