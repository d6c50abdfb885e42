//! Rows of the table, each with its measurement.

mod accept;
mod cold;
mod deliver;
mod flow;
mod instructions;
mod local;
mod requests;
mod sizes;
mod subscriptions;

use crate::{
    BoxError,
    function::{Function, Profiler},
    setup::{HOOK, STREAM_BATCH, Setup},
    table::Table,
};
use serde_json::{Value, json};
use std::pin::Pin;

pub type Measuring<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + 'a>>;

pub struct Row {
    pub name: &'static str,
    /// True if the result is the same on a busy machine.
    pub is_repeatable: bool,
    pub measure: for<'a> fn(&'a mut Table) -> Measuring<'a>,
}

pub const ROWS: [Row; 10] = [
    Row { name: "start", is_repeatable: true, measure: |table| Box::pin(cold::instructions(table)) },
    Row { name: "cold", is_repeatable: false, measure: |table| Box::pin(cold::times(table)) },
    Row { name: "instructions", is_repeatable: true, measure: |table| Box::pin(instructions::count(table)) },
    Row { name: "accept", is_repeatable: false, measure: |table| Box::pin(accept::times(table)) },
    Row { name: "requests", is_repeatable: true, measure: |table| Box::pin(requests::count(table)) },
    Row { name: "subscriptions", is_repeatable: true, measure: |table| Box::pin(subscriptions::count(table)) },
    Row { name: "deliver", is_repeatable: false, measure: |table| Box::pin(deliver::times(table)) },
    Row { name: "local", is_repeatable: false, measure: |table| Box::pin(local::accept(table)) },
    Row { name: "flow", is_repeatable: false, measure: |table| Box::pin(flow::events(table)) },
    Row { name: "sizes", is_repeatable: true, measure: |table| Box::pin(sizes::measure(table)) },
];

/// Rows by name; all if no name is given.
pub fn named(names: &[&str]) -> Result<Vec<&'static Row>, BoxError> {
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

/// Invokes a function a number of times.
async fn accepted(setup: &Setup, function: &mut Function, name: &str, calls: usize) -> Result<(), BoxError> {
    for _ in 0..calls {
        succeeded(name, &function.invoke(&setup.event(name)).await?)?;
    }
    Ok(())
}

/// Fails if an answer reports an error.
fn succeeded(name: &str, answer: &Value) -> Result<(), BoxError> {
    let is_done = answer["statusCode"] == 200 || answer["batchItemFailures"] == json!([]);
    if is_done { Ok(()) } else { Err(format!("{name} answered {answer}").into()) }
}

/// The difference in instructions between many invocations and a few.
async fn of_one(setup: &Setup, name: &str, few: Vec<Value>, many: Vec<Value>) -> Result<f64, BoxError> {
    let mut counts = Vec::new();
    for invocations in [few, many] {
        let mut function = setup.start(name, Profiler::Callgrind).await?;
        for event in invocations {
            succeeded(name, &function.invoke(&event).await?)?;
        }
        counts.push(function.instructions()?);
    }
    Ok(counts[1] - counts[0])
}

/// Accepts and dispatches a number of events, so that their deliveries are in the queue.
async fn queue_deliveries(setup: &mut Setup, events: usize) -> Result<(), BoxError> {
    let mut hook = setup.start(HOOK, Profiler::Nothing).await?;
    let mut dispatch = setup.start("dispatch", Profiler::Nothing).await?;
    accepted(setup, &mut hook, HOOK, events).await?;
    for _ in 0..events.div_ceil(STREAM_BATCH) {
        succeeded("dispatch", &dispatch.invoke(&setup.stream_batch().await?).await?)?;
    }
    Ok(())
}
