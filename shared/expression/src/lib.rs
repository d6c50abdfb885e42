//! CEL expressions over an event, for the filters and mappings of routes.

mod equality;
mod fields;
mod functions;
mod json;
mod messages;
mod names;
mod needs;
mod nesting;
mod number;
mod output;
mod pattern;
#[cfg(test)]
mod tests;
mod times;
mod tree;
mod values;
mod work;

pub use fields::Fields;
pub use output::MAX_OUTPUT_BYTES;
pub use values::EventValues;

use cel::{IdedExpr, ParseError, ParseErrors, parser::PrattParser};
use equality::Equalities;
use needs::Need;
use pattern::Pattern;
use std::sync::Arc;
use times::TimeChecks;
use tree::Rewriter;
use values::Variables;
use work::Budget;

const MAX_BYTES: usize = 2048;

/// A fault of a node in the expression's tree.
struct BadNode {
    id: u64,
    detail: String,
}

/// A CEL expression over an event.
///
/// The variables are `id`, `type`, `source`, `subject`, `time` and `data`, as in the event's JSON. One that the event
/// lacks, for example `subject`, is null. `time` is a text in UTC with milliseconds, so times compare as texts, and a
/// time that it is compared with must have the same form.
///
/// An expression may use:
/// - literals, lists and maps; `data.tag`, `data["a b"]`, `data.raw.items[0]`
/// - `? :`, `&&`, `||`, `!`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `+`, `-`, `*`, `/`, `%`
/// - `has(data.tag)`
/// - one of the macros `all`, `exists`, `exists_one`, `map` and `filter`, once
/// - `size`, `contains`, `startsWith`, `endsWith`, `string`, `int`, `uint`, `double`, `bool`
/// - `matches`, at most four times, with a literal pattern in the syntax of the crate `regex`. It matches anywhere in
///   the text unless it has `^` and `$`
///
/// JSON's integers are ints, or uints beyond 9223372036854775807. Its other numbers are doubles if a double holds them
/// exactly. A number with more digits keeps them: it can be passed on, compared and converted to a text, but not used
/// in arithmetic. Numbers compare by their exact values; arithmetic takes two numbers of one type:
/// `double(data.price) * 1.2`.
pub struct Expression {
    text: String,
    tree: IdedExpr,
    patterns: Arc<[Pattern]>,
    /// The parts of `data` that it uses.
    data: Need,
    /// The whole expression, if it only compares texts.
    equalities: Option<Equalities>,
}

/// The reason why a text is not a valid expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadExpression {
    /// Begins with line and column, if they are known.
    pub detail: String,
}

impl Expression {
    /// Compiles a new expression: at most 2 KB, with known names only, and not nested too deep for the stack.
    pub fn compile(text: &str) -> Result<Self, BadExpression> {
        Self::checked(text, Some(TimeChecks::default()))
    }

    /// Compiles a stored expression. Earlier releases did not check the form of times.
    pub fn compile_stored(text: &str) -> Result<Self, BadExpression> {
        Self::checked(text, None)
    }

    fn checked(text: &str, times: Option<TimeChecks>) -> Result<Self, BadExpression> {
        if text.len() > MAX_BYTES {
            return Err(BadExpression { detail: format!("must have at most {MAX_BYTES} bytes") });
        }
        nesting::check(text)?;
        let mut tree = parse(text).map_err(|errors| syntax(text, &errors))?;
        let equalities = Equalities::of(&tree);
        let mut walk = Rewriter::new(times);
        walk.root(&mut tree).map_err(|bad| BadExpression {
            detail: format!("{}: {}", place(text, offset(text, bad.id)), bad.detail),
        })?;
        Ok(Self { text: text.to_owned(), tree, patterns: walk.patterns.into(), data: walk.data, equalities })
    }

    /// The value for an event as JSON of at most 1 MB, or the reason why there is none. The reason contains no data of
    /// the event.
    pub fn evaluate(&self, event: &EventValues<'_>) -> Result<String, String> {
        let work = Budget::new();
        self.write(&Variables::of(event, &self.data)?, &work)?;
        work.into_output("the value")
    }

    /// True for an event that passes a filter. False if the expression fails on it, for example because of a missing
    /// field.
    pub fn matches(&self, event: &EventValues<'_>) -> bool {
        match &self.equalities {
            Some(equalities) => equalities.hold(event.data()),
            None => self.evaluate(event).as_deref() == Ok("true"),
        }
    }

    /// Writes the value to the output of the work.
    fn write(&self, variables: &Variables<'_>, work: &Budget) -> Result<(), String> {
        let context = functions::context(variables, work, &self.patterns);
        // `resolve_val` would be compiled into this function, where a debug build takes 30 KB of stack per level.
        let written = cel::Value::resolve(&self.tree, &context);
        written.map(|_| ()).map_err(|error| messages::of(&error, &self.text))
    }
}

fn parse(text: &str) -> Result<IdedExpr, ParseErrors> {
    // Error recovery would guess, and nest deeper than was checked.
    PrattParser::new().error_recovery_limit(0).parse(text)
}

/// The parser's first useful error.
fn syntax(text: &str, errors: &ParseErrors) -> BadExpression {
    let useful = errors.errors.iter().find(|error| !error.msg.contains("recovery attempt limit"));
    let Some(error) = useful else { return BadExpression { detail: "is not an expression".to_owned() } };
    let message = error.msg.trim_start_matches("Syntax error: ");
    // The list of expected tokens is nearly complete, so it is of no use.
    let message = message.split(" expecting ").next().unwrap_or(message);
    let is_vague = message.starts_with("mismatched input");
    let message = if is_vague { "something is missing or out of place here" } else { message };
    let detail = match offset_in(error, error.expr_id) {
        Some(at) => format!("{}: {message}", place(text, at)),
        None => message.to_owned(),
    };
    BadExpression { detail }
}

fn offset_in(error: &ParseError, node: u64) -> Option<usize> {
    error.source_info.as_ref()?.offset_for(node).map(|(start, _)| start as usize)
}

/// Byte offset of a node in a text without errors. The parser reports offsets only with an error, so a bracket is
/// appended, which it reaches last.
fn offset(text: &str, node: u64) -> usize {
    let errors = parse(&format!("{text}\n)")).err().map(|errors| errors.errors).unwrap_or_default();
    errors.iter().find_map(|error| offset_in(error, node)).unwrap_or(0)
}

/// Line and column of a byte offset.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or(before);
    format!("{}:{}", before.matches('\n').count() + 1, line.chars().count() + 1)
}
