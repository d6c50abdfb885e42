//! Instructions of the most frequent operations of a warm process: an accept and a delivery, compared with a function
//! that only puts an item.

use super::{of_one, queue_deliveries};
use crate::{
    BoxError,
    setup::{HOOK, PUT_ITEM, QUEUE_BATCH, Setup},
    table::Table,
};

/// The cost of one operation is the difference between many and few of them.
const FEW: usize = 20;
const MANY: usize = 220;

pub async fn count(table: &mut Table) -> Result<(), BoxError> {
    let setup = Setup::prepare(0).await?;
    let bare = of_accept(&setup, PUT_ITEM).await?;
    let accept = of_accept(&setup, HOOK).await?;
    let delivery = of_delivery().await?;
    for (name, what, count) in [
        ("accept.bare", "instructions of a warm call that puts an item", bare),
        ("accept.hook", "instructions of a warm accept", accept),
        ("accept.ratio", "a warm accept to one that puts an item", accept / bare),
        ("deliver.instructions", "instructions of a delivery, in tens", delivery),
        ("deliver.ratio", "a delivery to a call that puts an item", delivery / bare),
    ] {
        table.count("instructions", name, what, count, "");
    }
    Ok(())
}

async fn of_accept(setup: &Setup, name: &str) -> Result<f64, BoxError> {
    let calls = |count: usize| (0..count).map(|_| setup.event(name)).collect::<Vec<_>>();
    Ok(of_one(setup, name, calls(FEW), calls(MANY)).await? / (MANY - FEW) as f64)
}

async fn of_delivery() -> Result<f64, BoxError> {
    let mut setup = Setup::prepare(0).await?;
    queue_deliveries(&mut setup, FEW + MANY).await?;
    let mut few = setup.queue_batches(QUEUE_BATCH);
    let many = few.split_off(FEW / QUEUE_BATCH);
    Ok(of_one(&setup, "deliver", few, many).await? / (MANY - FEW) as f64)
}
