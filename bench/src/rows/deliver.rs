//! Throughput of one `deliver` process.

use super::{queue_deliveries, succeeded};
use crate::{
    BoxError,
    function::Profiler,
    setup::{QUEUE_BATCH, STREAM_BATCH, Setup},
    table::Table,
};
use std::time::Instant;

const DELIVERIES: usize = 2_000;
const PARTS: usize = 5;

pub async fn times(table: &mut Table) -> Result<(), BoxError> {
    let mut setup = Setup::prepare(0).await?;
    queue_deliveries(&mut setup, DELIVERIES + STREAM_BATCH).await?;
    let mut deliver = setup.start("deliver", Profiler::Nothing).await?;
    let batches = setup.queue_batches(QUEUE_BATCH);
    let (warming, timed) = batches.split_at(STREAM_BATCH / QUEUE_BATCH);
    for batch in warming {
        deliver.invoke(batch).await?;
    }
    let (mut rates, mut millis) = (Vec::new(), Vec::new());
    for part in timed.chunks(timed.len().div_ceil(PARTS)) {
        let (started, before, count) = (Instant::now(), deliver.cpu()?, (part.len() * QUEUE_BATCH) as f64);
        for batch in part {
            succeeded("deliver", &deliver.invoke(batch).await?)?;
        }
        rates.push(count / started.elapsed().as_secs_f64());
        millis.push((deliver.cpu()? - before).as_secs_f64() * 1e3 / count);
    }
    table.median("deliver", "deliver.rate", "deliveries a second, one process of `deliver`", rates, "");
    table.median("deliver", "deliver.cpu", "CPU of a delivery in `deliver`", millis, "ms");
    Ok(())
}
