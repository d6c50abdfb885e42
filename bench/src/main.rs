//! Measures what Lambda runs, and `local`, and holds what needs no quiet machine against a budget.
//!
//! usage: `bench [row ...]` prints the table, or these rows of it; `bench check` prints what is over budget, and fails;
//! `bench cost` prints what a million events cost.

#![expect(clippy::print_stdout, reason = "the table is its output")]

mod aws;
mod budget;
mod cost;
mod function;
mod ground;
mod rows;
mod table;

use std::{env, process::ExitCode};
use table::Table;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => check().await,
        ["cost"] => cost().await,
        names => measure(names).await,
    };
    done.unwrap_or_else(|failure| {
        eprintln!("bench: {failure}");
        ExitCode::FAILURE
    })
}

async fn measure(names: &[&str]) -> Result<ExitCode, Failure> {
    let rows = rows::named(names)?;
    let mut table = Table::default();
    for row in rows {
        eprintln!("measuring {} ...", row.name);
        (row.measure)(&mut table).await?;
    }
    print!("{}", table.to_markdown());
    table.keep()?;
    Ok(ExitCode::SUCCESS)
}

async fn cost() -> Result<ExitCode, Failure> {
    let mut table = Table::default();
    rows::requests::count(&mut table).await?;
    println!("{}", cost::bill(&mut table)?);
    table.keep()?;
    Ok(ExitCode::SUCCESS)
}

async fn check() -> Result<ExitCode, Failure> {
    let mut table = Table::default();
    for row in rows::ROWS.iter().filter(|row| row.is_repeatable) {
        eprintln!("measuring {} ...", row.name);
        (row.measure)(&mut table).await?;
    }
    cost::bill(&mut table)?;
    table.keep()?;
    let over = budget::over(&table);
    for line in &over {
        println!("{line}");
    }
    println!("{} of {} figures are over budget", over.len(), budget::BUDGET.len());
    Ok(if over.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
