//! Dispatch with as many subscriptions of MCP clients as a deployment may have, all to the type of the events and each
//! with a filter that no event passes.

use super::{accepted, of_one, succeeded};
use crate::{
    BoxError,
    function::Profiler,
    setup::{HOOK, STREAM_BATCH, Setup},
    table::Table,
};

const MAX: usize = 500;
/// Number whose instructions are counted. Reading more of them takes longer under callgrind than a request may.
const COUNTED: usize = 50;
/// Numbers of batches, whose difference is the cost of a batch.
const FEW: usize = 1;
const MANY: usize = 3;

pub async fn count(table: &mut Table) -> Result<(), BoxError> {
    let (without, with) = (of_event(0).await?, of_event(COUNTED).await?);
    let mut setup = Setup::prepare(MAX).await?;
    let mut hook = setup.start(HOOK, Profiler::Nothing).await?;
    let mut dispatch = setup.start("dispatch", Profiler::Nothing).await?;
    accepted(&setup, &mut hook, HOOK, STREAM_BATCH).await?;
    setup.aws.asked();
    succeeded("dispatch", &dispatch.invoke(&setup.stream_batch().await?).await?)?;
    let requests = setup.aws.asked().values().map(|asks| asks.requests).sum();
    for (name, what, figure, unit) in [
        ("requests", "dispatch, 100 events, 500 subscriptions: requests", requests, ""),
        ("memory", "the most memory of dispatch with 500 subscriptions", dispatch.peak_mib()?, "MiB"),
        ("event", "instructions of dispatching an event", without, ""),
        (
            "instructions",
            "instructions that a subscription's filter adds to that",
            (with - without) / COUNTED as f64,
            "",
        ),
    ] {
        table.count("subscriptions", &format!("subscriptions.{name}"), what, figure, unit);
    }
    Ok(())
}

/// Instructions of dispatching one event of a full batch.
async fn of_event(subscriptions: usize) -> Result<f64, BoxError> {
    let mut setup = Setup::prepare(subscriptions).await?;
    let mut hook = setup.start(HOOK, Profiler::Nothing).await?;
    accepted(&setup, &mut hook, HOOK, STREAM_BATCH * (FEW + MANY)).await?;
    let mut few = Vec::new();
    for _ in 0..FEW + MANY {
        few.push(setup.stream_batch().await?);
    }
    let many = few.split_off(FEW);
    Ok(of_one(&setup, "dispatch", few, many).await? / ((MANY - FEW) * STREAM_BATCH) as f64)
}
