//! Receiving: one write, deduplication, envelopes.

use serde_json::json;
use tests::Bundle;

#[tokio::test]
async fn a_checkpoint_record_becomes_an_event_a_subscriber_and_a_record() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-checkpoint-record").await;
    let body = json!({
        "user": { "id": "u-1", "name": "Ava Chen" },
        "checkpoint": { "name": "Coffee Order" },
        "record": { "fields": { "Product": "Latte" } },
    });
    let event = bundle.accept(&hook, &body).await;
    let records = bundle.until_count("/v1/checkpoint-records", 1).await;
    assert_eq!(records[0]["fields"], json!({ "Product": "Latte" }));
    assert_eq!(records[0]["event"], event.as_str());
    let subscribers = bundle.until_count("/v1/subscribers", 1).await;
    assert_eq!(subscribers[0]["name"], "Ava Chen");
    let envelope = bundle.get(&format!("/v1/events/{event}"), 200).await;
    assert_eq!(envelope["data"]["raw"], body);
}
