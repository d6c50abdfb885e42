//! What a warm accept costs its function, against a function that only puts the item.

use crate::{
    Failure,
    function::{Function, Under},
    ground::{Ground, HOOK, PUT_ITEM},
    table::Table,
};

const CALLS: usize = 1_000;
const ROUNDS: usize = 5;
/// Under callgrind: a call costs what many more of them cost more than a few.
const FEW: usize = 20;
const MANY: usize = 220;

pub async fn instructions(table: &mut Table) -> Result<(), Failure> {
    let ground = Ground::lay().await?;
    let bare = instructions_a_call(&ground, PUT_ITEM).await?;
    let hook = instructions_a_call(&ground, HOOK).await?;
    table.count("instructions", "accept.bare", "instructions of a warm call that puts an item", bare, "");
    table.count("instructions", "accept.hook", "instructions of a warm accept", hook, "");
    table.count("instructions", "accept.ratio", "a warm accept to one that puts an item", hook / bare, "");
    Ok(())
}

async fn instructions_a_call(ground: &Ground, name: &str) -> Result<f64, Failure> {
    let mut counts = Vec::new();
    for calls in [FEW, MANY] {
        let mut function = ground.start(name, Under::Callgrind).await?;
        call(ground, &mut function, name, calls).await?;
        counts.push(function.instructions()?);
    }
    Ok((counts[1] - counts[0]) / (MANY - FEW) as f64)
}

pub async fn times(table: &mut Table) -> Result<(), Failure> {
    let ground = Ground::lay().await?;
    let (mut bare, mut hook) = (Vec::new(), Vec::new());
    let mut peak = 0.0_f64;
    for _ in 0..ROUNDS {
        for (name, micros) in [(PUT_ITEM, &mut bare), (HOOK, &mut hook)] {
            let mut function = ground.start(name, Under::Nothing).await?;
            call(&ground, &mut function, name, 100).await?;
            let before = function.cpu()?;
            call(&ground, &mut function, name, CALLS).await?;
            micros.push((function.cpu()? - before).as_secs_f64() * 1e6 / CALLS as f64);
            if name == HOOK {
                peak = peak.max(function.peak_mib()?);
            }
        }
    }
    table.median("accept", "accept.bare.cpu", "CPU of a warm call that puts an item", bare, "µs");
    table.median("accept", "accept.hook.cpu", "CPU of a warm accept", hook, "µs");
    table.count("accept", "accept.hook.mib", "the most memory of a hook function", peak, "MiB");
    Ok(())
}

async fn call(ground: &Ground, function: &mut Function, name: &str, calls: usize) -> Result<(), Failure> {
    for _ in 0..calls {
        let answer = function.invoke(&ground.event(name)).await?;
        if answer["statusCode"] != 200 {
            return Err(format!("{name} answered {answer}").into());
        }
    }
    Ok(())
}
