//! CPU time of a warm accept, compared with a function that only puts the item.

use super::accepted;
use crate::{
    BoxError,
    function::Profiler,
    setup::{HOOK, PUT_ITEM, Setup},
    table::Table,
};

const CALLS: usize = 1_000;
const ROUNDS: usize = 5;

pub async fn times(table: &mut Table) -> Result<(), BoxError> {
    let setup = Setup::prepare(0).await?;
    let (mut bare, mut hook) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (name, micros) in [(PUT_ITEM, &mut bare), (HOOK, &mut hook)] {
            let mut function = setup.start(name, Profiler::Nothing).await?;
            accepted(&setup, &mut function, name, 100).await?;
            let before = function.cpu()?;
            accepted(&setup, &mut function, name, CALLS).await?;
            micros.push((function.cpu()? - before).as_secs_f64() * 1e6 / CALLS as f64);
        }
    }
    table.median("accept", "accept.bare.cpu", "CPU of a warm call that puts an item", bare, "µs");
    table.median("accept", "accept.hook.cpu", "CPU of a warm accept", hook, "µs");
    Ok(())
}
