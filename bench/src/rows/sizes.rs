//! Sizes of the functions, as binaries and as zips of the SAM CLI.

use crate::{BoxError, table::Table};
use std::process::Command;

pub async fn measure(table: &mut Table) -> Result<(), BoxError> {
    let output = Command::new("python3").arg("scripts/function-sizes").output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    for line in String::from_utf8(output.stdout)?.lines() {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [name, binary, zipped] = parts.as_slice() else { return Err(format!("no size: {line}").into()) };
        let megabytes = |bytes: &str| Ok::<_, BoxError>(bytes.parse::<f64>()? / 1e6);
        table.count("sizes", &format!("size.{name}.binary"), &format!("`{name}`"), megabytes(binary)?, "MB");
        table.count("sizes", &format!("size.{name}.zip"), &format!("`{name}`, zipped"), megabytes(zipped)?, "MB");
    }
    Ok(())
}
