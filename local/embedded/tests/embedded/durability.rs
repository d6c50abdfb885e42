use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded::{Database, Location, OpenError};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{TABLE, open, put, text};

const DIRECTORY_VARIABLE: &str = "EMBEDDED_TEST_DIRECTORY";
const ACKNOWLEDGED: &str = "acknowledged ";

#[tokio::test]
async fn an_acknowledged_write_and_its_record_survive_kill_9() {
    // The child process that is killed is this test, started with the variable.
    if let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) {
        return write_until_killed(PathBuf::from(directory)).await;
    }
    let directory = TempDir::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durability::an_acknowledged_write_and_its_record_survive_kill_9", "--nocapture"])
        .env(DIRECTORY_VARIABLE, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let acknowledged = lines.filter_map(|line| line.strip_prefix(ACKNOWLEDGED).map(str::to_owned)).nth(9).unwrap();
    let location = Location::Directory(directory.path().to_owned());
    let refused = Database::open(location.clone()).err().unwrap();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("in use by another process"), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();

    let (database, client) = open(location);
    let last: usize = acknowledged.parse().unwrap();
    for number in 0..=last {
        let key = client.get_item().table_name(TABLE).key("pk", text("p")).key("sk", text(format!("{number:05}")));
        assert!(key.send().await.unwrap().item.is_some(), "{number} of {last} is lost");
    }
    let records = database.follow(TABLE, 1000).unwrap().next().await.unwrap().records;
    assert!(records.len() > last, "{} records of {last} events", records.len());
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
async fn write_until_killed(directory: PathBuf) {
    let (_database, client) = open(Location::Directory(directory));
    for number in 0.. {
        put(&client, number).await;
        println!("\n{ACKNOWLEDGED}{number}");
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_access_the_directory() {
    use std::os::unix::fs::PermissionsExt;
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("a/b");
    let database = Database::open(Location::Directory(directory.clone())).unwrap();
    assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    drop(database);
    Database::open(Location::Directory(directory)).unwrap();
}

/// The engine's connection and the pruning connection sometimes find each other's lock.
#[tokio::test]
async fn a_lock_on_the_file_delays_writes_and_pruning() {
    let directory = TempDir::new().unwrap();
    let (database, client) = open(Location::Directory(directory.path().to_owned()));
    put(&client, 1).await;
    put(&client, 2).await;
    let mut follower = database.follow(TABLE, 10).unwrap();
    let batch = follower.next().await.unwrap();

    let other = Connection::open(directory.path().join("switchboard.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (pruned, (), ()) = tokio::join!(follower.done(&batch.position), put(&client, 3), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.execute_batch("COMMIT").unwrap();
    });
    pruned.unwrap();
}

#[tokio::test]
async fn the_write_ahead_log_stays_small() {
    let directory = TempDir::new().unwrap();
    let (database, client) = open(Location::Directory(directory.path().to_owned()));
    let mut follower = database.follow(TABLE, 10).unwrap();
    let following = tokio::spawn(async move {
        loop {
            let batch = follower.next().await.unwrap();
            follower.done(&batch.position).await.unwrap();
        }
    });
    let payload = AttributeValue::B(Blob::new(vec![7; 100_000]));
    for number in 0..150 {
        let item = client.put_item().table_name(TABLE).item("pk", text("p")).item("sk", text(number.to_string()));
        item.item("payload", payload.clone()).send().await.unwrap();
    }
    assert!(!following.is_finished(), "the follower failed");
    following.abort();
    let log = directory.path().join("switchboard.db-wal").metadata().unwrap().len();
    assert!(log < 20_000_000, "{log} bytes after 40 MB were written");
}
