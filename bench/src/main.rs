//! Measures the Lambda functions and `local`, and compares figures that need no quiet machine with a budget.
//!
//! usage: `bench [row ...]` prints the table, or only these rows; `bench check` prints the figures over budget, and
//! fails if there are any; `bench cost` prints the cost of a million events; `bench soak` runs `local` under load.

#![expect(clippy::print_stdout, reason = "the table is its output")]

mod aws;
mod budget;
mod cost;
mod function;
mod proc;
mod receiver;
mod rows;
mod setup;
mod soak;
mod table;

use rows::Row;
use std::{env, process::ExitCode};
use table::Table;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => check().await,
        ["cost"] => cost().await,
        ["soak"] => soak::run().await,
        names => measure(names).await,
    };
    done.unwrap_or_else(|failure| {
        eprintln!("bench: {failure}");
        ExitCode::FAILURE
    })
}

async fn table(rows: impl IntoIterator<Item = &Row>) -> Result<Table, BoxError> {
    let mut table = Table::default();
    for row in rows {
        eprintln!("measuring {} ...", row.name);
        (row.measure)(&mut table).await?;
    }
    Ok(table)
}

async fn measure(names: &[&str]) -> Result<ExitCode, BoxError> {
    print!("{}", table(rows::named(names)?).await?.to_markdown());
    Ok(ExitCode::SUCCESS)
}

async fn cost() -> Result<ExitCode, BoxError> {
    println!("{}", cost::bill(&mut table(rows::named(&["requests"])?).await?)?);
    Ok(ExitCode::SUCCESS)
}

async fn check() -> Result<ExitCode, BoxError> {
    let mut table = table(rows::ROWS.iter().filter(|row| row.is_repeatable)).await?;
    cost::bill(&mut table)?;
    let over = budget::over(&table);
    for line in &over {
        println!("{line}");
    }
    println!("{} figures are over budget", over.len());
    Ok(if over.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
