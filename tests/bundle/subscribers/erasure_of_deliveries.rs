//! Erasing a person from the deliveries of the person's events.

use crate::support::{
    harness,
    receiver::{Receiver, route, start},
};
use serde_json::{Value, json};
use tests::{Bundle, eventually, string};

#[tokio::test]
async fn answers_of_targets_are_erased_and_pending_deliveries_end() {
    for cut_off in [false, true] {
        let bundle = start("86400").await;
        let store = &bundle.local.app.store;
        let ((good, taken), (bad, refused)) = (Receiver::start().await, Receiver::start().await);
        for url in [&taken, &refused] {
            route(&bundle, "botstar.*", url).await;
        }
        let connection = bundle.connection("botstar").await;
        let known = bundle.hook_on(&connection, "botstar.watch-subscriber", json!({})).await;
        let mapping = json!({ "mapping": { "subscriber.id": "/nowhere" } });
        let blind = bundle.hook_on(&connection, "botstar.watch-tag", mapping).await;
        good.says(200, "welcome Avabelle");
        bad.says(500, "who is Avabelle");
        let ours = [
            bundle.accept(&known, &json!({ "user": { "id": "u-ava", "name": "Avabelle Chen" } })).await,
            bundle.accept(&blind, &json!({ "who": "u-ava" })).await,
        ];
        for event in &ours {
            until_attempted(&bundle, event).await;
        }
        good.says(200, "welcome Ben");
        bad.says(500, "who is Ben");
        let bens = bundle.accept(&known, &json!({ "user": { "id": "u-ben" } })).await;
        let bens_deliveries = until_attempted(&bundle, &bens).await;
        let pending = bundle.all(&format!("/v1/deliveries?event={}&state=pending", ours[0])).await.remove(0);
        let mut under_way = store.delivery(&string(&pending["id"]).parse().unwrap()).await.unwrap().unwrap();
        if cut_off {
            // As by an earlier call that came no further.
            for event in &ours {
                let event = store.event(&event.parse().unwrap()).await.unwrap().unwrap();
                store.scrub(event, bundle.local.app.event_expires()).await.unwrap();
            }
        }
        let people = bundle.until_count("/v1/subscribers", 2).await;
        let person = people.iter().find(|one| one["platform_id"] == "u-ava").unwrap();
        bundle.delete(&format!("/v1/subscribers/{}", string(&person["id"])), 204).await;

        for event in &ours {
            let deliveries = bundle.all(&format!("/v1/deliveries?event={event}")).await;
            let mut states: Vec<(&Value, &Value)> =
                deliveries.iter().map(|delivery| (&delivery["state"], &delivery["reason"])).collect();
            states.sort_by_key(|(state, _)| state.as_str());
            let (skipped, succeeded) = (json!("skipped"), json!("succeeded"));
            assert_eq!(states, [(&skipped, &json!("person_erased")), (&succeeded, &Value::Null)]);
            for attempt in deliveries.iter().flat_map(|delivery| delivery["attempts"].as_array().unwrap()) {
                assert_eq!((&attempt["body"], &attempt["error"]), (&Value::Null, &Value::Null));
                assert!(attempt["status"].is_u64() && attempt["at"].is_string(), "{attempt}");
            }
        }
        let texts = harness::items(&bundle.local.app, &store.tables.deliveries).await;
        assert!(texts.len() == 6 && !texts.iter().any(|text| text.contains("Avabelle")), "{texts:?}");
        assert_eq!(bundle.all(&format!("/v1/deliveries?event={bens}")).await, bens_deliveries);
        let now = bundle.local.app.now();
        assert!(store.update_delivery(&mut under_way, now).await.is_err(), "an attempt under way can't write any more");
        let retry = bundle.post(&format!("/v1/deliveries/{}/retry", string(&pending["id"])), &json!({}), 409).await;
        assert!(string(&retry["detail"]).contains("erased"), "{retry}");
    }
}

/// Waits until an event's two deliveries have been attempted; the deliveries.
async fn until_attempted(bundle: &Bundle, event: &str) -> Vec<Value> {
    eventually(|| async {
        let deliveries = bundle.all(&format!("/v1/deliveries?event={event}")).await;
        let attempted = deliveries.iter().filter(|delivery| delivery["attempts"][0]["body"].is_string()).count();
        (attempted == 2).then_some(deliveries)
    })
    .await
}
