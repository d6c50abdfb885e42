//! The engine's table of stream records.
//!
//! The engine never deletes a record, and numbers each new one by the maximum of a cast over all the table's records:
//! with 25,000 events a put takes twenty times as long as with none. An index on that cast turns the engine's two
//! queries into searches; pruning keeps the file from growing without limit.

use rusqlite::params;

use crate::second_connection::SecondConnection;

const CREATE_INDEX: &str = "CREATE INDEX IF NOT EXISTS switchboard_stream_position
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";

// The newest record stays, because the engine numbers the next one after it.
const PRUNE: &str = "DELETE FROM _stream_records
    WHERE table_name = ?1
      AND CAST(sequence_number AS INTEGER) <= ?2
      AND CAST(sequence_number AS INTEGER) <
          (SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?1)";

pub(crate) struct StreamRows(SecondConnection);

impl StreamRows {
    pub(crate) fn new(connection: SecondConnection) -> rusqlite::Result<Self> {
        connection.lock().execute(CREATE_INDEX, [])?;
        Ok(Self(connection))
    }

    /// Deletes the records of `table` up to and including `position`, except the newest one.
    pub(crate) fn prune(&self, table: &str, position: i64) -> rusqlite::Result<usize> {
        self.0.lock().prepare_cached(PRUNE)?.execute(params![table, position])
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, StatementStatus};
    use tempfile::TempDir;

    use super::*;
    use crate::second_connection::Durability;

    // From `storage.rs` of dynoxide-rs 3.2.0.
    const NEXT_SEQUENCE_NUMBER: &str = "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 \
         FROM _stream_records WHERE table_name = ?1";
    const RECORDS_AFTER: &str = "SELECT event_name, keys_json, new_image, old_image, sequence_number, created_at, \
         user_identity, event_id FROM _stream_records \
         WHERE table_name = ?1 AND shard_id = ?2 AND CAST(sequence_number AS INTEGER) > ?3 \
         ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT ?4";

    fn open() -> (TempDir, StreamRows) {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("test.db");
        drop(dynoxide::Database::new(file.to_str().unwrap()).unwrap());
        let rows = StreamRows::new(SecondConnection::open(&file, Durability::None).unwrap()).unwrap();
        (directory, rows)
    }

    fn fill(rows: &StreamRows, table: &str, count: i64) {
        let connection = rows.0.lock();
        let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
             INSERT INTO _stream_records (table_name, event_name, keys_json, sequence_number, shard_id, created_at)
             SELECT ?1, 'INSERT', '{}', CAST(i AS TEXT), 'shard', 0 FROM n";
        connection.execute(insert, params![table, count]).unwrap();
    }

    fn plan(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = statement.query_map(parameters, |row| row.get::<_, String>("detail")).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }

    /// Number of virtual machine steps of the statement, which grows with the rows it reads.
    fn steps(rows: &StreamRows, sql: &str, parameters: impl rusqlite::Params) -> i32 {
        let connection = rows.0.lock();
        let mut statement = connection.prepare(sql).unwrap();
        let mut found = statement.query(parameters).unwrap();
        while found.next().unwrap().is_some() {}
        drop(found);
        statement.get_status(StatementStatus::VmStep)
    }

    #[test]
    fn the_engines_queries_search_the_index() {
        let (_directory, rows) = open();
        let connection = rows.0.lock();
        let number = plan(&connection, NEXT_SEQUENCE_NUMBER, params!["t"]);
        assert_eq!(number, "SEARCH _stream_records USING COVERING INDEX switchboard_stream_position (table_name=?)");
        let range = "SEARCH _stream_records USING INDEX switchboard_stream_position (table_name=? AND <expr>>?)";
        assert_eq!(plan(&connection, RECORDS_AFTER, params!["t", "shard", 5, 10]), range);
        let pruned = plan(&connection, PRUNE, params!["t", 5]);
        assert!(pruned.starts_with(&range.replace(">?", "<?")), "{pruned}");
        assert!(!pruned.contains("SCAN"), "{pruned}");
    }

    #[test]
    fn the_cost_does_not_grow_with_the_number_of_events() {
        let (_directory, rows) = open();
        fill(&rows, "few", 20);
        fill(&rows, "many", 20_000);
        for (sql, table) in [(NEXT_SEQUENCE_NUMBER, "few"), (NEXT_SEQUENCE_NUMBER, "many")] {
            assert!(steps(&rows, sql, params![table]) < 50, "{table}");
        }
        let few = steps(&rows, RECORDS_AFTER, params!["few", "shard", 10, 10]);
        let many = steps(&rows, RECORDS_AFTER, params!["many", "shard", 10_000, 10]);
        assert!(many <= few + 5, "{few} steps among 20 records, {many} among 20,000");
    }

    #[test]
    fn pruning_keeps_the_newest_record_and_other_tables() {
        let (_directory, rows) = open();
        fill(&rows, "one", 10);
        fill(&rows, "two", 10);
        assert_eq!(rows.prune("one", 4).unwrap(), 4);
        assert_eq!(rows.prune("one", 100).unwrap(), 5);
        assert_eq!(rows.prune("one", 100).unwrap(), 0);
        let connection = rows.0.lock();
        let left = "SELECT group_concat(table_name || ':' || n, ' ')
             FROM (SELECT table_name, count(*) AS n FROM _stream_records GROUP BY table_name)";
        assert_eq!(connection.query_row(left, [], |row| row.get::<_, String>(0)).unwrap(), "one:1 two:10");
    }
}
