//! The documents of the repository.

use super::functions::root;
use std::fs;

/// The text of a document, by its path in the repository.
pub fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
