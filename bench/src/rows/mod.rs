//! The rows of the table, each with how it is measured.

mod accept;
mod cold;
mod local;
pub mod requests;
mod sizes;

use crate::{Failure, table::Table};
use std::pin::Pin;

pub type Measuring<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

pub struct Row {
    pub name: &'static str,
    /// Whether it comes out the same on a busy machine.
    pub is_repeatable: bool,
    pub measure: for<'a> fn(&'a mut Table) -> Measuring<'a>,
}

pub const ROWS: [Row; 8] = [
    Row { name: "start", is_repeatable: true, measure: |table| Box::pin(cold::instructions(table)) },
    Row { name: "cold", is_repeatable: false, measure: |table| Box::pin(cold::times(table)) },
    Row { name: "instructions", is_repeatable: true, measure: |table| Box::pin(accept::instructions(table)) },
    Row { name: "accept", is_repeatable: false, measure: |table| Box::pin(accept::times(table)) },
    Row { name: "requests", is_repeatable: true, measure: |table| Box::pin(requests::count(table)) },
    Row { name: "deliver", is_repeatable: false, measure: |table| Box::pin(requests::deliver(table)) },
    Row { name: "local", is_repeatable: false, measure: |table| Box::pin(local::accept(table)) },
    Row { name: "sizes", is_repeatable: true, measure: |table| Box::pin(sizes::measure(table)) },
];

/// Rows by their names; all, if none is named.
pub fn named(names: &[&str]) -> Result<Vec<&'static Row>, Failure> {
    if names.is_empty() {
        return Ok(ROWS.iter().collect());
    }
    let row = |name: &&str| {
        let known = || ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
        ROWS.iter()
            .find(|row| row.name == *name)
            .ok_or_else(|| format!("no row {name:?}; there are {}", known()).into())
    };
    names.iter().map(row).collect()
}
