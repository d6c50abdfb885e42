//! Messages of a queue, in a table beside the engine's. They outlive the process as the engine's items do.

use rusqlite::{Transaction, params};

use crate::{Database, Error, Inner, second_connection::SecondConnection};

const CREATE_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS switchboard_messages (number INTEGER PRIMARY KEY, body TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO switchboard_messages (body) VALUES (?1)";
const DELETE: &str = "DELETE FROM switchboard_messages WHERE number = ?1";
const SELECT: &str = "SELECT number, body FROM switchboard_messages ORDER BY number";

/// Number of a stored message.
pub type MessageNumber = i64;

pub(crate) struct QueueRows(SecondConnection);

impl QueueRows {
    pub(crate) fn new(connection: SecondConnection) -> rusqlite::Result<Self> {
        connection.lock().execute(CREATE_TABLE, [])?;
        Ok(Self(connection))
    }

    fn write(&self, bodies: &[String], handled: &[MessageNumber]) -> rusqlite::Result<Vec<MessageNumber>> {
        let mut connection = self.0.lock();
        let transaction = connection.transaction()?;
        for number in handled {
            transaction.prepare_cached(DELETE)?.execute(params![number])?;
        }
        let numbers = bodies.iter().map(|body| insert(&transaction, body)).collect::<rusqlite::Result<_>>()?;
        transaction.commit()?;
        Ok(numbers)
    }

    fn read(&self) -> rusqlite::Result<Vec<(MessageNumber, String)>> {
        let connection = self.0.lock();
        let mut statement = connection.prepare(SELECT)?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }
}

fn insert(transaction: &Transaction<'_>, body: &str) -> rusqlite::Result<MessageNumber> {
    transaction.prepare_cached(INSERT)?.insert(params![body])
}

impl Database {
    /// Stores new messages and deletes handled ones, in one transaction. `written` gets the numbers of the new ones.
    /// Returns once the change is on disk.
    pub async fn write_messages(
        &self,
        bodies: Vec<String>,
        handled: Vec<MessageNumber>,
        written: impl FnOnce(Vec<MessageNumber>) + Send + 'static,
    ) -> Result<(), Error> {
        let write = move |inner: &Inner| inner.queue_rows.write(&bodies, &handled).map(written);
        Ok(self.write(write).await??)
    }

    /// All stored messages, the oldest first.
    pub async fn messages(&self) -> Result<Vec<(MessageNumber, String)>, Error> {
        Ok(self.write(|inner| inner.queue_rows.read()).await??)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::Location;

    async fn bodies(database: &Database) -> Vec<String> {
        database.messages().await.unwrap().into_iter().map(|(_, body)| body).collect()
    }

    #[tokio::test]
    async fn messages_are_kept_until_they_are_handled() {
        let directory = TempDir::new().unwrap();
        let open = || Database::open(Location::Directory(directory.path().to_owned())).unwrap();
        let database = open();
        database.create_tables(&[]).unwrap();
        let (sender, numbers) = std::sync::mpsc::channel();
        let written = move |numbers| sender.send(numbers).unwrap();
        database.write_messages(vec!["a".to_owned(), "b".to_owned()], Vec::new(), written).await.unwrap();
        let numbers = numbers.recv().unwrap();
        drop(database);
        let database = open();
        assert_eq!(bodies(&database).await, ["a", "b"]);
        database.write_messages(vec!["c".to_owned()], vec![numbers[0]], |_| {}).await.unwrap();
        drop(database);
        assert_eq!(bodies(&open()).await, ["b", "c"]);
    }
}
