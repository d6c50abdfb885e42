//! CPU time of a warm accept, compared with a function that only puts the item.

use super::accepted;
use crate::{
    Failure,
    function::Under,
    ground::{Ground, HOOK, PUT_ITEM},
    table::Table,
};

const CALLS: usize = 1_000;
const ROUNDS: usize = 5;

pub async fn times(table: &mut Table) -> Result<(), Failure> {
    let ground = Ground::lay().await?;
    let (mut bare, mut hook) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (name, micros) in [(PUT_ITEM, &mut bare), (HOOK, &mut hook)] {
            let mut function = ground.start(name, Under::Nothing).await?;
            accepted(&ground, &mut function, name, 100).await?;
            let before = function.cpu()?;
            accepted(&ground, &mut function, name, CALLS).await?;
            micros.push((function.cpu()? - before).as_secs_f64() * 1e6 / CALLS as f64);
        }
    }
    table.median("accept", "accept.bare.cpu", "CPU of a warm call that puts an item", bare, "µs");
    table.median("accept", "accept.hook.cpu", "CPU of a warm accept", hook, "µs");
    Ok(())
}
