//! Requests of an event to DynamoDB and the queue, with read and write units.

use super::{accepted, succeeded};
use crate::{
    BoxError,
    aws::{RequestCount, RequestCounts},
    function::Profiler,
    setup::{HOOK, QUEUE_BATCH, STREAM_BATCH, Setup},
    table::Table,
};

pub async fn count(table: &mut Table) -> Result<(), BoxError> {
    let mut setup = Setup::prepare(0).await?;
    let mut hook = setup.start(HOOK, Profiler::Nothing).await?;
    let mut dispatch = setup.start("dispatch", Profiler::Nothing).await?;
    let mut deliver = setup.start("deliver", Profiler::Nothing).await?;
    // The first round is of new people, and includes requests that a process makes once.
    for warm in [false, true] {
        setup.begin_again();
        let mut asked = Vec::new();
        let logged = [hook.log_bytes()?, dispatch.log_bytes()?, deliver.log_bytes()?];
        accepted(&setup, &mut hook, HOOK, STREAM_BATCH).await?;
        asked.push(("accept", STREAM_BATCH, setup.aws.asked()));
        succeeded("dispatch", &dispatch.invoke(&setup.stream_batch().await?).await?)?;
        asked.push(("dispatch", STREAM_BATCH, setup.aws.asked()));
        for batch in setup.queue_batches(QUEUE_BATCH) {
            succeeded("deliver", &deliver.invoke(&batch).await?)?;
        }
        asked.push(("deliver", STREAM_BATCH, setup.aws.asked()));
        let known = if warm { "known" } else { "new" };
        let functions = [&hook, &dispatch, &deliver];
        for (((step, events, asked), function), before) in asked.into_iter().zip(functions).zip(logged) {
            add_requests(table, step, known, events, &asked);
            if warm {
                let requests = asked.values().map(|asks| asks.requests).sum();
                table.count(
                    "requests",
                    &format!("{step}.requests"),
                    &format!("{step}, 100 events: requests"),
                    requests,
                    "",
                );
                let bytes = (function.log_bytes()? - before) as f64 / events as f64;
                table.count("requests", &format!("{step}.log"), &format!("{step}: log of an event"), bytes, "bytes");
            }
        }
    }
    table.count("requests", "memory.dispatch", "the most memory of dispatch", dispatch.peak_mib()?, "MiB");
    table.count("requests", "memory.deliver", "the most memory of deliver", deliver.peak_mib()?, "MiB");
    table.count("requests", "memory.hook", "the most memory of a hook function", hook.peak_mib()?, "MiB");
    Ok(())
}

/// Adds the requests per event, for known or new people.
fn add_requests(table: &mut Table, step: &str, known: &str, events: usize, asked: &RequestCounts) {
    for ((operation, name), RequestCount { requests, units }) in asked {
        let figure = format!("{step}.{operation}.{name}.{known}");
        let what = format!("{step}, {events} events of {known} people: {operation} {name}");
        if *requests > 0.0 {
            table.count("requests", &figure, &what, *requests, "requests");
        }
        if *units > 0.0 {
            let an_event = units / events as f64;
            table.count("requests", &format!("{figure}.units"), &format!("{what}, for an event"), an_event, "units");
        }
    }
}
