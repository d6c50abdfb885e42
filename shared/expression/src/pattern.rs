//! The patterns of `matches`, compiled with the expression: a pattern from an event could not be bounded.

use regex::{Regex, RegexBuilder};

/// How large a pattern may be once it is compiled. Matching takes the text's length times the pattern's size, so the
/// smallest of these that suffices tells what a byte of the text weighs.
const SIZES: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 256 << 10];
/// How many of a pattern's bytes a byte of the text weighs 1 for: the slowest patterns take half a nanosecond for each.
const BYTES_OF_ONE: usize = 64;
const CACHE_BYTES: usize = 256 << 10;
const NESTING: u32 = 50;

pub struct Pattern {
    pub regex: Regex,
    /// What a byte of a text that is held against it weighs.
    pub weight: u64,
}

impl Pattern {
    /// A pattern, or why it is none.
    pub fn compile(text: &str) -> Result<Self, String> {
        for size in SIZES {
            let built =
                RegexBuilder::new(text).size_limit(size).dfa_size_limit(CACHE_BYTES).nest_limit(NESTING).build();
            match built {
                Ok(regex) => return Ok(Self { regex, weight: (size / BYTES_OF_ONE) as u64 }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(error) => {
                    // The lines before the last show where.
                    let error = error.to_string();
                    let last = error.lines().last().unwrap_or_default();
                    return Err(last.trim_start_matches("error: ").to_owned());
                }
            }
        }
        Err("it becomes too large: `[0-9]` is smaller than `\\d`, `[a-z]` than `\\w`, and both than their repetition"
            .to_owned())
    }
}
