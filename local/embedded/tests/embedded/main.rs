//! Real `aws-sdk-dynamodb` calls against the embedded database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod durability;
mod requests;
mod server;
mod streams;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded::{Database, IndexSpec, Location, TableSpec};

const TABLE: &str = "events";

fn events() -> TableSpec {
    TableSpec {
        name: TABLE.to_owned(),
        key: "pk",
        sort: Some("sk"),
        indexes: vec![IndexSpec { name: "by_user", key: "user", sort: Some("sk") }],
        ttl: Some("expires"),
        stream: true,
        is_clustered: false,
    }
}

fn open(location: Location) -> (Database, Client) {
    let database = Database::open(location).unwrap();
    database.create_tables(&[events()]).unwrap();
    let client = Client::from_conf(database.sdk_config());
    (database, client)
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Puts the event `number`, and panics unless it is acknowledged.
async fn put(client: &Client, number: usize) {
    let item = client.put_item().table_name(TABLE).item("pk", text("p")).item("sk", text(format!("{number:05}")));
    item.item("user", text("u")).send().await.unwrap();
}
