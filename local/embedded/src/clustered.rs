//! Tables whose rows are in the B-tree of their key, in the order of the key (`WITHOUT ROWID`).
//!
//! The engine's tables have rows in the order of their writes, and an index of the keys beside them. A rewritten item is
//! deleted and appended, which leaves a hole in its page until all of the page's items are gone. In the order of the key,
//! an item is rewritten in its place, and there is no second index. It suits items of up to 1 KB: SQLite gives a larger
//! one a page of its own.
//! <https://www.sqlite.org/withoutrowid.html>

use rusqlite::{Connection, params};

const DEFINITION: &str = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";

/// Makes the engine's new, empty table anew, with the engine's own definition.
pub(crate) fn cluster(connection: &mut Connection, table: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let definition: String = transaction.query_row(DEFINITION, params![table], |row| row.get(0))?;
    let name = table.replace('"', "\"\"");
    transaction.execute_batch(&format!("DROP TABLE \"{name}\"; {definition} WITHOUT ROWID"))?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clustered_table_has_the_same_columns_and_no_index_of_its_key() {
        let mut connection = Connection::open_in_memory().unwrap();
        let create = "CREATE TABLE \"a\"\"b\" (pk TEXT NOT NULL, sk TEXT NOT NULL DEFAULT '', PRIMARY KEY (pk, sk))";
        connection.execute(create, []).unwrap();
        let indexes = "SELECT COUNT(*) FROM dbstat WHERE name LIKE 'sqlite_autoindex%'";
        let count = |connection: &Connection| connection.query_row(indexes, [], |row| row.get::<_, u64>(0)).unwrap();
        assert_eq!(count(&connection), 1);
        cluster(&mut connection, "a\"b").unwrap();
        assert_eq!(count(&connection), 0);
        connection.execute("INSERT INTO \"a\"\"b\" (pk) VALUES ('p')", []).unwrap();
        assert!(connection.prepare("SELECT rowid FROM \"a\"\"b\"").is_err());
    }
}
