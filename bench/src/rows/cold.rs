//! Start of a function: the time from its process to its first request for an invocation, and to its first answer.

use super::queue_deliveries;
use crate::{
    BoxError,
    function::Profiler,
    setup::{ACTION, HOOK, NO_OP, PUT_ITEM, Setup},
    table::Table,
};
use std::collections::BTreeMap;

const ROUNDS: usize = 15;

/// Instructions until a function asks for its first invocation. It starts as on AWS, where it must load certificates.
pub async fn instructions(table: &mut Table) -> Result<(), BoxError> {
    let setup = Setup::prepare(0).await?;
    let mut starts = BTreeMap::new();
    for (name, what) in [
        (NO_OP, "instructions to start a function that does nothing"),
        (PUT_ITEM, "the same, one with an SDK client out of the box"),
        (HOOK, "the same, a hook function"),
        (ACTION, "the same, an action function"),
        ("deliver", "the same, deliver"),
    ] {
        let function = setup.start_on_aws(name, Profiler::Callgrind).await?;
        function.polled().await;
        let count = function.instructions()?;
        starts.insert(name, count);
        table.count("start", &format!("start.{name}"), what, count, "");
    }
    table.count("start", "start.ratio", "a hook function's to the SDK client's", starts[HOOK] / starts[PUT_ITEM], "");
    Ok(())
}

/// Start times of all functions in turn, round by round, so that a busy moment affects all.
pub async fn times(table: &mut Table) -> Result<(), BoxError> {
    let mut setup = Setup::prepare(0).await?;
    queue_deliveries(&mut setup, ROUNDS).await?;
    let messages = setup.queue_batches(1);
    let mut times: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for message in messages.iter().take(ROUNDS) {
        for name in [NO_OP, PUT_ITEM, HOOK, ACTION, "deliver"] {
            let event = if name == "deliver" { message.clone() } else { setup.event(name) };
            let mut function = setup.start(name, Profiler::Nothing).await?;
            let polled = function.polled().await;
            function.invoke(&event).await?;
            times.entry((name, "poll")).or_default().push(polled.as_secs_f64() * 1e3);
            times.entry((name, "answer")).or_default().push(function.since_start().as_secs_f64() * 1e3);
        }
    }
    for ((name, until), values) in times {
        let what = match until {
            "poll" => format!("cold start of `{name}`, until it asks for an invocation"),
            _ => format!("cold start of `{name}`, until its first answer"),
        };
        table.median("cold", &format!("cold.{name}.{until}"), &what, values, "ms");
    }
    Ok(())
}
