//! A table's stream, as Lambda's event source mapping hands it to a function.
//!
//! The place of the follower is kept in the stream itself: what is handled is pruned, so after a restart, `kill -9`
//! included, it goes on with the oldest record that is left. Events may be seen again and are never skipped.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::{decode_shard_iterator, encode_shard_iterator};
use dynoxide::streams::{shard_id, stream_arn};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::{Database, Error};

/// Writes of this process wake a follower at once; this is for what it might miss.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Where a batch ends in its table's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(i64);

/// Records in the order of the writes, and the position of the last.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Each as in `Records` of the event that a Lambda function gets.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
    pub records: Vec<Value>,
    pub position: Position,
}

/// Reads one table's stream from its oldest record on. Meant to be the table's only one, as its [`Follower::done`]
/// deletes records for everyone.
pub struct Follower {
    database: Database,
    table: String,
    stream_arn: String,
    batch: usize,
    position: Position,
}

impl Database {
    /// `batch` is the most records of one batch, up to 1,000.
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
            // Before the first sequence number: what the engine calls TRIM_HORIZON.
            position: Position(0),
        })
    }

    fn read(&self, table: &str, after: Position, limit: usize) -> Result<(Vec<Value>, Position), Error> {
        let answer = self.0.engine.get_records(GetRecordsRequest {
            shard_iterator: encode_shard_iterator(table, &shard_id(table), after.0),
            limit: Some(limit),
        })?;
        let next = answer.next_shard_iterator.as_deref().and_then(decode_shard_iterator);
        let position = next.map_or(after, |(_, _, position)| Position(position));
        let records = answer.records.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        Ok((records, position))
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

    /// The next records, or none once it is told to stop. Unlike one that was dropped, what was told to stop is at
    /// nothing any more, and holds the database no longer.
    pub async fn next_unless(&mut self, stop: impl Future<Output = ()>) -> Result<Option<Batch>, Error> {
        let mut stop = pin!(stop);
        loop {
            // Made before the look, so that a write just after the look wakes it.
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
                // Late or woken, it looks again.
                _ = timeout(POLL_INTERVAL, written) => {}
                () = &mut stop => return Ok(None),
            }
        }
    }

    async fn read(&self) -> Result<(Vec<Value>, Position), Error> {
        let (database, table) = (self.database.clone(), self.table.clone());
        let (after, limit) = (self.position, self.batch);
        spawn_blocking(move || database.read(&table, after, limit)).await?
    }

    /// Says that every record up to this position is handled, and deletes them. The newest of the table is kept, so
    /// that is seen again after a restart.
    pub async fn done(&self, position: &Position) -> Result<(), Error> {
        let (database, table, Position(position)) = (self.database.clone(), self.table.clone(), *position);
        let prune = move || {
            let _turn = database.turn_to_write();
            database.0.stream_rows.prune(&table, position)
        };
        spawn_blocking(prune).await??;
        Ok(())
    }
}
