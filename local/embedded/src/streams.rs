//! A table's stream, in the form of Lambda's event source mapping.
//!
//! The stream itself keeps the follower's position: handled records are pruned, so after a restart, even after `kill
//! -9`, the follower continues with the oldest remaining record. Events may be processed again and are never skipped.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::{decode_shard_iterator, encode_shard_iterator};
use dynoxide::streams::{shard_id, stream_arn};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{Database, Error};

/// Fallback for missed wake-ups: writes of this process wake a follower immediately.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// End of a batch in its table's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(i64);

/// Records in write order, and the position of the last.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Records in the form of `Records` in a Lambda function's event.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
    pub records: Vec<Value>,
    pub position: Position,
}

/// Reads one table's stream from its oldest record on. A table should have only one follower, because
/// [`Follower::done`] deletes records for all.
pub struct Follower {
    database: Database,
    table: String,
    stream_arn: String,
    batch: usize,
    position: Position,
}

impl Database {
    /// `batch` is the largest number of records in a batch, up to 1,000.
    pub fn follow(&self, table: &str, batch: usize) -> Result<Follower, Error> {
        let metadata = self.0.engine.get_table_metadata(table)?.filter(|metadata| metadata.stream_enabled);
        let label = metadata
            .and_then(|metadata| metadata.stream_label)
            .ok_or_else(|| Error::NoStream { table: table.to_owned() })?;
        Ok(Follower {
            database: self.clone(),
            table: table.to_owned(),
            stream_arn: stream_arn(table, &label),
            batch,
            // Before the first sequence number, as TRIM_HORIZON.
            position: Position(0),
        })
    }
}

impl Follower {
    /// The next records; waits until there are some. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        loop {
            if let Some(batch) = self.next_unless(pending()).await? {
                return Ok(batch);
            }
        }
    }

    /// The next records, or none once `stop` resolves. Unlike after a drop of the future, no read is then running, and
    /// the database is no longer held.
    pub async fn next_unless(&mut self, stop: impl Future<Output = ()>) -> Result<Option<Batch>, Error> {
        let mut stop = pin!(stop);
        loop {
            // Created before the read, so that a write directly after the read wakes it.
            let written = self.database.0.written.notified();
            let (mut records, position) = self.read().await?;
            if !records.is_empty() {
                for record in &mut records {
                    record["eventSourceARN"] = json!(self.stream_arn);
                }
                self.position = position;
                return Ok(Some(Batch { records, position }));
            }
            tokio::select! {
                // On timeout or wake-up, it reads again.
                _ = timeout(POLL_INTERVAL, written) => {}
                () = &mut stop => return Ok(None),
            }
        }
    }

    async fn read(&self) -> Result<(Vec<Value>, Position), Error> {
        let Position(after) = self.position;
        let shard_iterator = encode_shard_iterator(&self.table, &shard_id(&self.table), after);
        let request = GetRecordsRequest { shard_iterator, limit: Some(self.batch) };
        // An event that a power failure may still undo must not reach anyone.
        let answer = self.database.read(move |engine| engine.get_records(request)).await??;
        let next = answer.next_shard_iterator.as_deref().and_then(decode_shard_iterator);
        let position = next.map_or(self.position, |(_, _, position)| Position(position));
        let records = answer.records.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        Ok((records, position))
    }

    /// Marks all records up to this position as handled, and deletes them. The table's newest record is kept, so it is
    /// processed again after a restart.
    pub async fn done(&self, position: &Position) -> Result<(), Error> {
        let (database, table, Position(position)) = (self.database.clone(), self.table.clone(), *position);
        // Its sync is not waited for: records that come back are handled again.
        let prune = move || database.0.stream_rows.prune(&table, position);
        self.database.0.writes.run(prune).await??;
        Ok(())
    }
}
