//! Size of the database's file after the run, when SQLite has merged its log into it.
//!
//! The run has more routes than the limits name, so the file is divided: the pages of the table of deliveries and of its
//! indexes belong to the deliveries, and all other pages to the events, also those of subscribers and empty ones.

use super::process;
use rusqlite::{Connection, OpenFlags};
use std::{error::Error, fs, path::Path};
use tempfile::TempDir;

/// The most bytes of an event with two deliveries.
const MAX_BYTES_WITH_TWO: f64 = 4_096.0;
/// The most bytes of an event with its deliveries to all routes, one of which fails every other time.
const MAX_BYTES_WITH_ALL: f64 = 6_144.0;
/// Objects of the deliveries' table: itself, its key's index and its other indexes.
const DELIVERIES: &str = "SELECT SUM(pgsize) FROM dbstat WHERE name LIKE '%switchboard-deliveries%'";

pub fn size(folder: &TempDir, events: usize, routes: usize) -> Result<String, String> {
    let (total, deliveries) = measure(&process::data(folder.path())).map_err(|error| error.to_string())?;
    let of_delivery = deliveries / (events * routes) as f64;
    let of_event = (total - deliveries) / events as f64;
    let (with_two, with_all) = (2.0_f64.mul_add(of_delivery, of_event), total / events as f64);
    let figures = format!(
        "an event has {of_event:.0} bytes, a delivery {of_delivery:.0}; with two deliveries {with_two:.0} of \
         {MAX_BYTES_WITH_TWO} allowed, with {routes} {with_all:.0} of {MAX_BYTES_WITH_ALL}"
    );
    if with_two <= MAX_BYTES_WITH_TWO && with_all <= MAX_BYTES_WITH_ALL { Ok(figures) } else { Err(figures) }
}

/// Bytes of all files of the database, and of the deliveries in it.
fn measure(data: &Path) -> Result<(f64, f64), Box<dyn Error>> {
    let file = data.join(embedded::DATABASE_FILE);
    let total = fs::metadata(&file)?.len() as f64;
    let database = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let deliveries: f64 = database.query_row(DELIVERIES, [], |row| row.get(0))?;
    Ok((total, deliveries))
}
