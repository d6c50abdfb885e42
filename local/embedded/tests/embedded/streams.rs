use std::time::Duration;

use embedded::{Batch, Error, Location};
use tempfile::TempDir;
use tokio::time::timeout;

use super::{TABLE, events, open, put, text};

fn sort_keys(batch: &Batch) -> Vec<&str> {
    batch.records.iter().map(|record| record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_record_has_the_form_that_lambda_sends() {
    let (database, client) = open(Location::Temporary);
    put(&client, 1).await;
    let update = client.update_item().table_name(TABLE).key("pk", text("p")).key("sk", text("00001"));
    let update = update.update_expression("SET #u = :u").expression_attribute_names("#u", "user");
    update.expression_attribute_values(":u", text("v")).send().await.unwrap();

    let batch = database.follow(TABLE, 10).unwrap().next().await.unwrap();
    let [inserted, modified] = batch.records.as_slice() else { unreachable!("{batch:?}") };
    assert_eq!(inserted["eventName"], "INSERT");
    assert_eq!(inserted["eventSource"], "aws:dynamodb");
    assert_eq!(inserted["eventVersion"], "1.1");
    assert!(inserted["eventSourceARN"].as_str().unwrap().contains(":table/events/stream/"));
    assert!(inserted["dynamodb"].get("OldImage").is_none());
    assert_eq!(modified["eventName"], "MODIFY");
    assert_eq!(modified["dynamodb"]["OldImage"]["user"]["S"], "u");
    assert_eq!(modified["dynamodb"]["NewImage"]["user"]["S"], "v");
    assert_eq!(modified["dynamodb"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    assert_ne!(inserted["eventID"], modified["eventID"]);
    let number = |record: &serde_json::Value| record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned();
    assert!(number(inserted) < number(modified));
}

#[tokio::test]
async fn records_arrive_in_order_and_wake_the_follower() {
    let (database, client) = open(Location::Temporary);
    let mut follower = database.follow(TABLE, 3).unwrap();
    let idle = timeout(Duration::from_millis(50), follower.next()).await;
    assert!(idle.is_err(), "there is nothing yet");

    for number in 1..=4 {
        put(&client, number).await;
    }
    assert_eq!(sort_keys(&follower.next().await.unwrap()), ["00001", "00002", "00003"]);
    assert_eq!(sort_keys(&follower.next().await.unwrap()), ["00004"]);

    // Shorter than the poll interval, so the write must have woken it.
    let (woken, ()) = tokio::join!(timeout(Duration::from_millis(800), follower.next()), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        put(&client, 5).await;
    });
    assert_eq!(sort_keys(&woken.unwrap().unwrap()), ["00005"]);
}

#[tokio::test]
async fn after_a_restart_it_continues_with_unfinished_records() {
    let directory = TempDir::new().unwrap();
    let location = || Location::Directory(directory.path().to_owned());
    {
        let (database, client) = open(location());
        for number in 1..=5 {
            put(&client, number).await;
        }
        let mut follower = database.follow(TABLE, 3).unwrap();
        let first = follower.next().await.unwrap();
        follower.done(&first.position).await.unwrap();
        assert_eq!(sort_keys(&follower.next().await.unwrap()), ["00004", "00005"]);
    }
    let last = {
        let (database, _) = open(location());
        let mut follower = database.follow(TABLE, 3).unwrap();
        let rest = follower.next().await.unwrap();
        assert_eq!(sort_keys(&rest), ["00004", "00005"]);
        follower.done(&rest.position).await.unwrap();
        rest.position
    };
    let (database, client) = open(location());
    put(&client, 6).await;
    let again = database.follow(TABLE, 3).unwrap().next().await.unwrap();
    assert_eq!(sort_keys(&again), ["00005", "00006"], "the newest was kept, and the numbers go on after it");
    assert!(again.position > last);
}

#[tokio::test]
async fn a_table_without_a_stream_is_not_followed() {
    let (database, _) = open(Location::Temporary);
    let mut quiet = events();
    quiet.name = "quiet".to_owned();
    quiet.stream = false;
    database.create_tables(&[quiet]).unwrap();
    for table in ["quiet", "absent"] {
        assert!(matches!(database.follow(table, 10), Err(Error::NoStream { .. })), "{table}");
    }
}
