//! Patterns of `matches`, compiled with the expression: the cost of a pattern from an event would have no limit.

use regex::{Regex, RegexBuilder};

/// Size limits of a compiled pattern. Matching takes the text's length times the pattern's size, so the smallest
/// sufficient limit determines the weight of a byte of the text.
const SIZES: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 256 << 10];
/// Bytes of a pattern that give a byte of the text a weight of 1: the slowest patterns take half a nanosecond for each.
const BYTES_OF_ONE: usize = 64;
const CACHE_BYTES: usize = 256 << 10;
const NESTING: u32 = 50;

pub struct Pattern {
    pub regex: Regex,
    /// Weight of each byte of a text that is matched.
    pub weight: u64,
}

impl Pattern {
    /// Compiles a pattern, or returns the reason why it is invalid.
    pub fn compile(text: &str) -> Result<Self, String> {
        for size in SIZES {
            let built =
                RegexBuilder::new(text).size_limit(size).dfa_size_limit(CACHE_BYTES).nest_limit(NESTING).build();
            match built {
                Ok(regex) => return Ok(Self { regex, weight: (size / BYTES_OF_ONE) as u64 }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(error) => {
                    // The lines before the last show the position.
                    let error = error.to_string();
                    let last = error.lines().last().unwrap_or_default();
                    return Err(last.trim_start_matches("error: ").to_owned());
                }
            }
        }
        Err("it is too large: `[0-9]` is smaller than `\\d`, `[a-z]` than `\\w`, and both than their repetition"
            .to_owned())
    }
}
