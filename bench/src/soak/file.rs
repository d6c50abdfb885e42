//! Size of the database's file after the run, when SQLite has merged its log into it.
//!
//! The run has more routes than the first limit names, so the pages in use are divided: those of the deliveries' table and
//! its indexes belong to the deliveries, and all others to the events, also those of subscribers. Empty pages are what the
//! largest backlog has left, and are used again. The second limit has them as well. Both have an allowance for that backlog.

use super::process;
use rusqlite::{Connection, OpenFlags};
use std::{error::Error, fs, path::Path};
use tempfile::TempDir;

/// The most bytes in use of an event with two deliveries, if none waited.
const MAX_BYTES_WITH_TWO: f64 = 4_096.0;
/// The most bytes of the file for an event with its deliveries to all routes, one of which fails every other time.
const MAX_BYTES_WITH_ALL: f64 = 6_144.0;
/// The most bytes of the file for a delivery that waited when most of them did.
const MAX_BYTES_WAITING: f64 = 1_536.0;
/// Bytes that a waiting delivery's row has more than when it has ended. They stay empty within its page.
const MAX_BYTES_LEFT: f64 = 300.0;
/// Pages of the deliveries' table, of its key's index if it has one, and of its other indexes.
const DELIVERIES: &str = "SELECT SUM(pgsize) FROM dbstat WHERE name LIKE '%switchboard-deliveries%'";
const EMPTY: &str = "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size";

/// Bytes of the database's file.
struct Bytes {
    total: f64,
    empty: f64,
    deliveries: f64,
}

/// `waiting` is the largest number of deliveries that waited at once.
pub fn size(folder: &TempDir, events: usize, routes: usize, waiting: usize) -> Result<String, String> {
    let bytes = Bytes::measure(&process::data(folder.path())).map_err(|error| error.to_string())?;
    let (events, waiting) = (events as f64, waiting as f64);
    let of_delivery = bytes.deliveries / (events * routes as f64);
    let of_event = (bytes.total - bytes.empty - bytes.deliveries) / events;
    let with_two = 2.0_f64.mul_add(of_delivery, of_event);
    let with_all = bytes.total / events;
    let max_with_two = MAX_BYTES_WITH_TWO + 2.0 * MAX_BYTES_LEFT * (waiting / (events * routes as f64)).min(1.0);
    let max_with_all = MAX_BYTES_WITH_ALL + MAX_BYTES_WAITING * waiting / events;
    let figures = format!(
        "an event has {of_event:.0} bytes, a delivery {of_delivery:.0}; with two deliveries {with_two:.0} of \
         {max_with_two:.0} allowed; with {routes}, and {:.0} of empty pages, {with_all:.0} of {max_with_all:.0}, after \
         at most {waiting} deliveries have waited",
        bytes.empty / events
    );
    if with_two <= max_with_two && with_all <= max_with_all { Ok(figures) } else { Err(figures) }
}

impl Bytes {
    fn measure(data: &Path) -> Result<Self, Box<dyn Error>> {
        let file = data.join(embedded::DATABASE_FILE);
        let total = fs::metadata(&file)?.len() as f64;
        let database = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let sum = |query: &str| database.query_row(query, [], |row| row.get::<_, i64>(0));
        Ok(Self { total, empty: sum(EMPTY)? as f64, deliveries: sum(DELIVERIES)? as f64 })
    }
}
