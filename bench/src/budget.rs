//! What the figures may be at most.

use crate::table::Table;

pub struct Limit {
    /// The figure.
    pub name: &'static str,
    pub most: f64,
    /// What has grown if it is more.
    pub what: &'static str,
}

const fn limit(name: &'static str, most: f64, what: &'static str) -> Limit {
    Limit { name, most, what }
}

pub const BUDGET: [Limit; 4] = [
    limit("accept.ratio", 1.15, "a warm accept, in instructions, against a function that only puts the item"),
    limit("start.ratio", 0.6, "the start of a hook function, in instructions, against an SDK client out of the box"),
    limit("accept.PutItem.events.known", 100.0, "the writes of 100 accepts"),
    limit("size.largest.zip", 4.0, "the largest function, zipped, in MB"),
];

/// What is over budget, each in a sentence.
pub fn over(table: &Table) -> Vec<String> {
    let sentence = |limit: &Limit| match table.figure(limit.name) {
        Some(figure) if figure <= limit.most => None,
        Some(figure) => Some(format!("{} grew to {figure:.2}: at most {} is allowed", limit.what, limit.most)),
        None => Some(format!("{} was not measured ({})", limit.what, limit.name)),
    };
    BUDGET.iter().filter_map(sentence).collect()
}
