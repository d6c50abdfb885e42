//! How large the functions are, as binaries and as SAM zips them.

use crate::{Failure, table::Table};
use serde_json::Value;
use std::process::Command;

pub async fn measure(table: &mut Table) -> Result<(), Failure> {
    let told = Command::new("python3").arg("scripts/zip-sizes").output()?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).into_owned().into());
    }
    let sizes: std::collections::BTreeMap<String, Value> = serde_json::from_slice(&told.stdout)?;
    let megabytes = |size: &Value| size.as_f64().unwrap_or_default() / 1e6;
    for (name, size) in &sizes {
        let (binary, zip) = (megabytes(&size["binary"]), megabytes(&size["zip"]));
        table.count("sizes", &format!("size.{name}.binary"), &format!("`{name}`"), binary, "MB");
        table.count("sizes", &format!("size.{name}.zip"), &format!("`{name}`, zipped"), zip, "MB");
    }
    let largest = sizes.values().map(|size| megabytes(&size["zip"])).fold(0.0, f64::max);
    table.count("sizes", "size.largest.zip", "the largest of all, zipped", largest, "MB");
    Ok(())
}
