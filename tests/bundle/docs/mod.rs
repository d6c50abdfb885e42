//! The documents, held against the code.

mod examples;
pub mod links_and_names;
