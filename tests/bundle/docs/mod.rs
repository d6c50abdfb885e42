//! The documents, held against the code.

mod examples;
mod links_and_names;
