//! Check of times that are compared with `time`. They are texts, so a time in another form would compare wrongly.

use super::BadNode;
use cel::{
    IdedExpr,
    common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators},
};
use models::Timestamp;

const COMPARISONS: [&str; 7] = [
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::IN,
];

/// Checks comparisons. Tracks the item of the macro whose body it is in.
#[derive(Default)]
pub struct TimeChecks {
    item: Option<Item>,
}

/// An item of a macro's literal list.
struct Item {
    name: String,
    is_time: bool,
    /// The texts in the list, with their nodes.
    texts: Vec<(u64, String)>,
}

impl TimeChecks {
    pub fn begin_macro(&mut self, name: &str, list: &IdedExpr) {
        let (is_time, texts) = (self.may_be_time(list), self.texts(list));
        self.item = Some(Item { name: name.to_owned(), is_time, texts });
    }

    pub fn end_macro(&mut self) {
        self.item = None;
    }

    /// Checks the operands of a comparison.
    pub fn check(&self, operator: &str, left: &IdedExpr, right: &IdedExpr) -> Result<(), BadNode> {
        if !COMPARISONS.contains(&operator) {
            return Ok(());
        }
        for (operand, other) in [(left, right), (right, left)] {
            if !self.may_be_time(operand) {
                continue;
            }
            for (id, text) in self.texts(other) {
                if let Some(detail) = fault(&text) {
                    return Err(BadNode { id, detail });
                }
            }
        }
        Ok(())
    }

    /// True if a value may be `time`, or contain it.
    fn may_be_time(&self, node: &IdedExpr) -> bool {
        match &node.expr {
            Expr::Ident(name) => match &self.item {
                Some(item) if item.name == *name => item.is_time,
                _ => name == "time",
            },
            _ => parts(node).into_iter().any(|part| self.may_be_time(part)),
        }
    }

    /// The literal texts that a value may be or contain.
    fn texts(&self, node: &IdedExpr) -> Vec<(u64, String)> {
        match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => vec![(node.id, text.inner().to_owned())],
            Expr::Ident(name) => match &self.item {
                Some(item) if item.name == *name => item.texts.clone(),
                _ => Vec::new(),
            },
            _ => parts(node).into_iter().flat_map(|part| self.texts(part)).collect(),
        }
    }
}

/// The parts that a value may be or contain: the items of a list, the fields of a map, the two branches of a
/// conditional.
fn parts(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => {
            let entries = map.entries.iter().filter_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => Some([&entry.key, &entry.value]),
                EntryExpr::StructField(_) => None,
            });
            entries.flatten().collect()
        }
        Expr::Call(CallExpr { func_name, args, .. }) => match (func_name.as_str(), &**args) {
            (operators::CONDITIONAL, [_, yes, no]) => vec![yes, no],
            (operators::INDEX, [indexed, _]) => parts(indexed),
            ("string", [text]) => vec![text],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The fault of a text that does not have the form of `time`.
fn fault(text: &str) -> Option<String> {
    let read =
        Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z"))).map(|time| time.to_string());
    let example = match &read {
        Some(time) if time == text => return None,
        Some(time) => time,
        None => "2026-11-28T10:00:16.195Z",
    };
    Some(format!("`time` is compared as a text in UTC with milliseconds: write \"{example}\""))
}
