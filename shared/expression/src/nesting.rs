//! Nesting limit of an expression's text, determined from its tokens. The parser recurses into nested parts, so this
//! check comes first. A text that the parser might tokenize differently is rejected: one with a misplaced character,
//! string or bracket, or a missing operand.

use super::{BadExpression, place};

/// Deepest nesting, in nested operators. In a debug build each takes up to 3 KB of stack.
const MAX_DEPTH: usize = 64;
/// Weight of a pair of brackets: up to 13 KB of stack in a debug build.
const BRACKETS: usize = 4;

/// The text between two brackets. Commas divide it into parts; `&&`, `||`, `?` and `:` divide a part into terms;
/// operators divide a term into operands. Indexes, fields and calls follow an operand. When one ends, its depth is
/// added to the enclosing one.
#[derive(Default)]
struct Level {
    /// The closing bracket.
    close: u8,
    /// For the operand: its deepest bracket, and the postfixes after it.
    inside: usize,
    after: usize,
    /// For the term: its deepest operand, and its operators.
    operand: usize,
    operators: usize,
    /// For the part: its deepest term, its `&&` and `||`, which the parser balances, and its `?`.
    term: usize,
    logical: usize,
    conditions: usize,
    /// The deepest part.
    part: usize,
}

impl Level {
    fn end_operand(&mut self) {
        let depth = std::mem::take(&mut self.inside) + std::mem::take(&mut self.after);
        self.operand = self.operand.max(depth);
    }

    fn end_term(&mut self) {
        self.end_operand();
        let depth = std::mem::take(&mut self.operand) + std::mem::take(&mut self.operators);
        self.term = self.term.max(depth);
    }

    fn end_part(&mut self) {
        self.end_term();
        let balanced = usize::BITS - std::mem::take(&mut self.logical).leading_zeros();
        let depth = std::mem::take(&mut self.term) + std::mem::take(&mut self.conditions) + balanced as usize;
        self.part = self.part.max(depth);
    }
}

/// Fails if the text is nested too deep.
pub fn check(text: &str) -> Result<(), BadExpression> {
    let fault = |at: usize, detail: &str| BadExpression { detail: format!("{}: {detail}", place(text, at)) };
    let too_deep = |at| fault(at, "it is nested too deep from here");
    let missing = |at| fault(at, "something is missing before this");
    let bytes = text.as_bytes();
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::default();
    // True if an operand must follow, and true directly after a bracket or a comma.
    let (mut wanted, mut fresh) = (true, false);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at..at + 2).unwrap_or_default();
        let mut end = at + 1;
        let was_fresh = std::mem::replace(&mut fresh, false);
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b'\x0c' => fresh = was_fresh,
            b'/' if pair == b"//" => {
                end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |line| at + line);
                fresh = was_fresh;
            }
            b'"' | b'\'' => {
                end = text_end(bytes, at, false)
                    .ok_or_else(|| fault(at, "this string is not closed, or has an invalid escape"))?;
                wanted = false;
            }
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                end = word_end(bytes, at);
                let word = &bytes[at..end];
                if let Some(b'"' | b'\'') = bytes.get(end) {
                    if !matches!(word, b"r" | b"R") {
                        return Err(fault(end, "a string may only follow an `r`"));
                    }
                    end = text_end(bytes, end, true)
                        .ok_or_else(|| fault(at, "this string is not closed, or has an invalid escape"))?;
                }
                wanted = word == b"in";
                if wanted {
                    level.end_operand();
                    level.operators += 1;
                }
            }
            b'(' | b'[' | b'{' => {
                let close = if byte == b'(' { b')' } else { byte + 2 };
                outer.push(std::mem::replace(&mut level, Level { close, ..Level::default() }));
                if outer.len() * BRACKETS > MAX_DEPTH {
                    return Err(too_deep(at));
                }
                (wanted, fresh) = (true, true);
            }
            b')' | b']' | b'}' => {
                if wanted && !was_fresh {
                    return Err(missing(at));
                }
                level.end_part();
                let inside = level.part;
                let before = outer.pop().filter(|_| level.close == byte);
                level = before.ok_or_else(|| fault(at, "this bracket was not opened"))?;
                level.inside = level.inside.max(inside);
                level.after += BRACKETS;
                wanted = false;
                if inside + level.after > MAX_DEPTH {
                    return Err(too_deep(at));
                }
            }
            b'!' if pair != b"!=" => {
                level.after += 1;
                wanted = true;
            }
            b'-' if wanted => level.after += 1,
            _ => {
                let double = matches!(pair, b"&&" | b"||" | b"==" | b"!=" | b"<=" | b">=");
                if !double && !b"<>+-*/%.,?:".contains(&byte) {
                    let detail =
                        if byte == b'=' { "use `==` to compare" } else { "this character is not allowed here" };
                    return Err(fault(at, detail));
                }
                end += usize::from(double);
                if wanted {
                    return Err(missing(at));
                }
                wanted = true;
                match byte {
                    b',' => {
                        level.end_part();
                        fresh = true;
                    }
                    b'&' | b'|' => {
                        level.end_term();
                        level.logical += 1;
                    }
                    b'?' => {
                        level.end_term();
                        level.conditions += 1;
                    }
                    b':' => level.end_term(),
                    b'.' => level.after += 1,
                    _ => {
                        level.end_operand();
                        level.operators += 1;
                    }
                }
            }
        }
        at = end;
    }
    if wanted {
        return Err(fault(at, "something is missing at the end"));
    }
    if !outer.is_empty() {
        return Err(fault(at, "a bracket is not closed"));
    }
    level.end_part();
    if level.part > MAX_DEPTH { Err(too_deep(0)) } else { Ok(()) }
}

/// The end of a name, a keyword or a number.
fn word_end(bytes: &[u8], start: usize) -> usize {
    let run = |from: usize| {
        let rest = bytes[from..].iter();
        from + rest.take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
    };
    let end = run(start);
    let fraction = bytes[start..end].iter().all(u8::is_ascii_digit)
        && bytes.get(end) == Some(&b'.')
        && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
    if fraction { run(end + 1) } else { end }
}

/// The end of the string whose quote is at `start`, by CEL's grammar.
fn text_end(bytes: &[u8], start: usize, raw: bool) -> Option<usize> {
    let quote = bytes[start];
    let triple = bytes[start..].starts_with(&[quote; 3]);
    let close = &[quote; 3][..if triple { 3 } else { 1 }];
    let mut at = start + close.len();
    loop {
        match *bytes.get(at)? {
            _ if bytes[at..].starts_with(close) => return Some(at + close.len()),
            b'\n' | b'\r' if !triple => return None,
            b'\\' if !raw => at += escape_length(&bytes[at + 1..])?,
            _ => at += 1,
        }
    }
}

/// Length of an escape, with its backslash.
fn escape_length(rest: &[u8]) -> Option<usize> {
    let digits = |count: usize| rest.get(1..=count)?.iter().all(u8::is_ascii_hexdigit).then_some(2 + count);
    match rest.first()? {
        b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'"' | b'\'' | b'\\' | b'?' | b'`' => Some(2),
        b'x' | b'X' => digits(2),
        b'u' => digits(4),
        b'U' => digits(8),
        b'0'..=b'3' => rest.get(1..3)?.iter().all(|digit| (b'0'..=b'7').contains(digit)).then_some(4),
        _ => None,
    }
}
