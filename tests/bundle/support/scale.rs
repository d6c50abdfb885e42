//! The scale of tests under load.

use std::env;

/// The small number in `make test`, the full one in `make stress`.
pub fn scale(small: usize, full: usize) -> usize {
    if env::var_os("STRESS").is_some() { full } else { small }
}
