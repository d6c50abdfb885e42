//! Answers of the routes for routes, deliveries and replays, checked against the OpenAPI document.

use crate::{api::openapi::Walker, support::receiver::Receiver};
use serde_json::{Value, json};
use tests::{eventually, string};

/// Makes a route to an action, makes it one to a webhook, has it deliver and fail; and removes it.
pub async fn walk(walker: &mut Walker<'_>, connection: &str) {
    let none = Value::Null;
    let input = json!({ "users_bm": "[data.subscriber.platform_id]" });
    let action =
        json!({ "type": "action", "action": "botmother.send-event", "connection": connection, "input": input });
    let draft = json!({ "events": ["botmother.*"], "target": action });
    walker.call("POST", "/v1/routes/test", "", draft).await;
    let new = json!({ "name": "x", "events": ["botmother.*"], "target": action });
    let route = string(&walker.call("POST", "/v1/routes", "", new).await["id"]);
    walker.call("POST", "/v1/routes/{id}/test", &route, none.clone()).await;
    let (receiver, url) = Receiver::start().await;
    let webhook = json!({ "target": { "type": "webhook", "url": url } });
    walker.call("PATCH", "/v1/routes/{id}", &route, webhook).await;
    walker.call("POST", "/v1/routes/{id}/test", &route, json!({ "send": true })).await;
    walker.call("POST", "/v1/routes/{id}/rotate", &route, none.clone()).await;
    walker.call("GET", "/v1/routes/{id}", &route, none.clone()).await;
    walker.call("GET", "/v1/routes", "", none.clone()).await;

    let hook = walker.bundle.hook_on(connection, "botmother.watch-request", json!({})).await;
    let posted = walker.bundle.send(&hook.url, "{}").await;
    let event = posted.headers["x-switchboard-event"].to_str().unwrap();
    let succeeded = until(walker, "succeeded").await;
    walker.call("GET", "/v1/deliveries/{id}", &succeeded, none.clone()).await;
    // A target that wants no more disables its route.
    receiver.says(410, "gone");
    let replayed = walker.call("POST", "/v1/events/{id}/replay", event, none.clone()).await;
    assert_eq!(replayed["deliveries"].as_array().unwrap().len(), 1);
    let skipped = until(walker, "skipped").await;
    // The delivery is written first, and a change that meets the other would be a conflict.
    let path = format!("/v1/routes/{route}");
    eventually(|| async { (walker.bundle.get(&path, 200).await["enabled"] == false).then_some(()) }).await;
    walker.call("PATCH", "/v1/routes/{id}", &route, json!({ "enabled": true })).await;
    walker.call("POST", "/v1/deliveries/{id}/retry", &skipped, none.clone()).await;
    let mut span = json!({ "after": "2020-01-01T00:00:00Z", "before": "2100-01-01T00:00:00Z", "hook": hook.id });
    let replayed = walker.call("POST", "/v1/events/replay", "", span.clone()).await;
    assert!(replayed["replay"].is_string(), "{replayed}");
    span["dry_run"] = json!(true);
    walker.call("POST", "/v1/events/replay", "", span.clone()).await;
    walker.call("POST", "/v1/events/redispatch", "", span).await;
    walker.call("POST", "/v1/events/{id}/redispatch", event, none.clone()).await;
    walker.download("/v1/events/{id}/raw", &format!("/v1/events/{event}/raw")).await;
    walker.call("POST", "/v1/deliveries/retry", "", json!({ "state": "skipped" })).await;
    walker.call("GET", "/v1/deliveries", "", none.clone()).await;
    walker.call("DELETE", "/v1/hooks/{id}", &hook.id, none.clone()).await;
    walker.call("DELETE", "/v1/routes/{id}", &route, none).await;
}

/// Waits for a delivery in this state; its id.
async fn until(walker: &Walker<'_>, state: &str) -> String {
    let list = format!("/v1/deliveries?state={state}");
    eventually(|| async { walker.bundle.all(&list).await.first().map(|delivery| string(&delivery["id"])) }).await
}
