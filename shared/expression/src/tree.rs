//! Check and rewrite of an expression's tree: only allowed nodes remain, and each operation charges its cost.

use super::{BadNode, names, needs::Need, pattern::Pattern, times::TimeChecks};
use cel::{
    IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators},
};
use std::fmt::Display;

/// The variables of an event.
pub const VARIABLES: [&str; 6] = ["id", "type", "source", "subject", "time", "data"];
/// Name of the macros' accumulator. No text can refer to it.
const RESULT: &str = "@result";

const FUNCTIONS: [(&str, usize); 6] = [("size", 1), ("string", 1), ("int", 1), ("uint", 1), ("double", 1), ("bool", 1)];
/// Methods, with their number of arguments.
const METHODS: [(&str, usize); 4] = [("size", 0), ("contains", 1), ("startsWith", 1), ("endsWith", 1)];
const MATCHES: &str = "matches";
/// Operators that only inspect their operand's truth.
const CHOICES: [&str; 4] =
    [operators::CONDITIONAL, operators::LOGICAL_AND, operators::LOGICAL_OR, operators::LOGICAL_NOT];
const MAX_PATTERNS: usize = 4;

type Checked<T = ()> = Result<T, BadNode>;

/// Checks a tree and rewrites it in place.
#[derive(Default)]
pub struct Rewriter {
    /// The name of the item in a macro's body.
    item: Option<String>,
    has_macro: bool,
    /// Number of operators and of bytes of literals so far.
    weight: usize,
    /// True inside a path that was recorded as a whole.
    is_in_path: bool,
    /// Check of times compared with `time`; none for a stored expression, which may be older than the check.
    times: Option<TimeChecks>,
    pub patterns: Vec<Pattern>,
    /// The parts of `data` that it uses.
    pub data: Need,
}

impl Rewriter {
    pub fn new(times: Option<TimeChecks>) -> Self {
        Self { times, ..Self::default() }
    }

    /// Processes the whole tree. Its value is written as JSON.
    pub fn root(&mut self, node: &mut IdedExpr) -> Checked {
        self.tree(node)?;
        wrap(node, names::JSON, None);
        Ok(())
    }

    fn tree(&mut self, node: &mut IdedExpr) -> Checked {
        let was_in_path = self.is_in_path;
        if !was_in_path && let Some(path) = self.path(node) {
            self.data.add(&path);
            self.is_in_path = true;
        }
        let checked = self.node(node);
        self.is_in_path = was_in_path;
        checked
    }

    /// The path of a part of `data`.
    fn path<'n>(&self, node: &'n IdedExpr) -> Option<Vec<&'n str>> {
        match &node.expr {
            Expr::Ident(name) if name == "data" && self.item.as_deref() != Some("data") => Some(Vec::new()),
            Expr::Select(select) => {
                let mut path = self.path(&select.operand)?;
                path.push(&select.field);
                Some(path)
            }
            Expr::Call(CallExpr { func_name, args, .. }) if func_name == operators::INDEX => {
                let [indexed, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] = &**args else {
                    return None;
                };
                let mut path = self.path(indexed)?;
                path.push(name.inner());
                Some(path)
            }
            _ => None,
        }
    }

    fn node(&mut self, node: &mut IdedExpr) -> Checked {
        self.weight += 1;
        match &mut node.expr {
            Expr::Literal(LiteralValue::Bytes(_)) => self.fault(node.id, "JSON has no bytes"),
            Expr::Literal(literal) => {
                if let LiteralValue::String(text) = literal {
                    self.weight += text.inner().len();
                }
                Ok(())
            }
            Expr::Ident(name) => self.name(node.id, name),
            Expr::Select(select) => self.tree(&mut select.operand),
            Expr::List(list) => list.elements.iter_mut().try_for_each(|item| self.weighed(item)),
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.tree(&mut entry.key)?;
                    wrap(&mut entry.key, names::KEY, None);
                    self.weighed(&mut entry.value)
                }
                EntryExpr::StructField(_) => self.fault(entry.id, "a map has keys and values"),
            }),
            Expr::Comprehension(of) => self.comprehension(node.id, of),
            Expr::Call(of) if of.func_name == MATCHES => {
                node.expr = self.matches(node.id, of)?;
                Ok(())
            }
            Expr::Call(of) => self.call(node.id, of),
            Expr::Struct(of) => self.fault(node.id, format_args!("unknown type `{}`", of.type_name)),
            Expr::Unspecified => self.fault(node.id, "something is missing here"),
        }
    }

    fn name(&self, id: u64, name: &str) -> Checked {
        if VARIABLES.contains(&name) || self.item.as_deref() == Some(name) || name == RESULT {
            return Ok(());
        }
        self.fault(id, format_args!("unknown variable `{name}`; an event has {}", VARIABLES.join(", ")))
    }

    /// The other parts of an expanded macro are generated by the crate.
    fn comprehension(&mut self, id: u64, of: &mut ComprehensionExpr) -> Checked {
        if std::mem::replace(&mut self.has_macro, true) {
            return self.fault(id, "all, exists, exists_one, map and filter: at most one may be used");
        }
        self.times.as_mut().into_iter().for_each(|times| times.begin_macro(&of.iter_var, &of.iter_range));
        self.tree(&mut of.iter_range)?;
        let before = self.weight;
        self.item = Some(of.iter_var.clone());
        self.tree(&mut of.loop_step)?;
        self.item = None;
        self.times.as_mut().into_iter().for_each(TimeChecks::end_macro);
        wrap(&mut of.iter_range, names::ITEMS, Some(self.weight - before));
        Ok(())
    }

    fn call(&mut self, id: u64, of: &mut CallExpr) -> Checked {
        let name = of.func_name.as_str();
        let known = match of.target {
            Some(_) => METHODS.contains(&(name, of.args.len())),
            None => FUNCTIONS.contains(&(name, of.args.len())) || is_operator(name) || CHOICES.contains(&name),
        };
        if !known {
            let mut names = FUNCTIONS.iter().chain(&METHODS).map(|(name, _)| *name);
            return match names.any(|known| known == name) {
                true => self.fault(id, format_args!("`{name}` is called with the wrong arguments")),
                false => self.fault(id, format_args!("unknown function `{name}`")),
            };
        }
        match (name, &mut *of.args) {
            (operators::INDEX, [indexed, index]) => {
                self.tree(indexed)?;
                self.tree(index)?;
                wrap(index, names::INDEX, None);
                Ok(())
            }
            (name, parts) if CHOICES.contains(&name) => parts.iter_mut().try_for_each(|part| self.tree(part)),
            (name, parts) => {
                if let (Some(times), [left, right]) = (&self.times, &*parts) {
                    times.check(name, left, right)?;
                }
                if let Some(target) = &mut of.target {
                    self.weighed(target)?;
                }
                parts.iter_mut().try_for_each(|part| self.weighed(part))?;
                of.func_name = in_place_of(name, parts);
                Ok(())
            }
        }
    }

    /// The call that replaces a `matches`.
    fn matches(&mut self, id: u64, of: &mut CallExpr) -> Checked<Expr> {
        let mut parts = of.target.take().map(|target| *target).into_iter().chain(std::mem::take(&mut of.args));
        let (Some(mut text), Some(pattern), None) = (parts.next(), parts.next(), parts.next()) else {
            return self.fault(id, "`matches` takes a text and a pattern");
        };
        let Expr::Literal(LiteralValue::String(written)) = pattern.expr else {
            return self.fault(pattern.id, "the pattern of `matches` must be a literal in quotes");
        };
        if self.patterns.len() == MAX_PATTERNS {
            return self.fault(
                id,
                format_args!(
                    "`matches` may be used at most {MAX_PATTERNS} times; a pattern may have alternatives: `a|b`"
                ),
            );
        }
        let compiled = Pattern::compile(written.inner());
        let compiled = compiled.or_else(|detail| self.fault(pattern.id, format_args!("invalid pattern: {detail}")))?;
        let index = self.patterns.len();
        self.patterns.push(compiled);
        self.tree(&mut text)?;
        wrap(&mut text, names::MATCHES, Some(index));
        Ok(text.expr)
    }

    /// Wraps a part so that it charges its weight. A literal was charged with the tree, and the items of a list on
    /// their own. The result and the list of a macro stay as they are, because the crate recognises a macro by them.
    fn weighed(&mut self, part: &mut IdedExpr) -> Checked {
        self.tree(part)?;
        match &part.expr {
            Expr::Literal(_) | Expr::List(_) => {}
            Expr::Ident(name) if name == RESULT => {}
            _ => wrap(part, names::WEIGH, None),
        }
        Ok(())
    }

    fn fault<T>(&self, id: u64, detail: impl Display) -> Checked<T> {
        Err(BadNode { id, detail: detail.to_string() })
    }
}

fn is_operator(name: &str) -> bool {
    [operators::NEGATE, operators::INDEX].contains(&name) || names::OPERATORS.iter().any(|(known, _)| *known == name)
}

/// The name of the function that replaces an operator. The `+` that adds to a macro's result stays, because the crate
/// recognises a macro by it.
fn in_place_of(name: &str, parts: &[IdedExpr]) -> String {
    let is_of_macro = matches!(parts.first(), Some(IdedExpr { expr: Expr::Ident(name), .. }) if name == RESULT);
    let known = names::OPERATORS.iter().find(|(operator, _)| *operator == name && !is_of_macro);
    known.map_or(name, |(_, function)| function).to_owned()
}

/// Wraps a part in a function call, with a number as second argument.
fn wrap(part: &mut IdedExpr, function: &str, number: Option<usize>) {
    let id = part.id;
    let mut args = vec![std::mem::take(part)];
    args.extend(number.map(|number| {
        // No text is long enough to exceed an `i64`.
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        IdedExpr { id, expr: Expr::Literal(LiteralValue::Int(number.into())) }
    }));
    *part = IdedExpr { id, expr: Expr::Call(CallExpr { func_name: function.to_owned(), target: None, args }) };
}
