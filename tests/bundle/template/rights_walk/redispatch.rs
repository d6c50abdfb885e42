//! The part of the walk in which events are dispatched again.

use super::Walk;
use models::{SubscriberId, clock::Clock as _, records::StoredSubscriber};
use reqwest::Method;
use serde_json::json;
use tests::{answer, string};

impl Walk<'_> {
    /// Events that dispatch has not come to, and one whose person was erased after it.
    pub(super) async fn redispatches(&self) {
        let hook = &self.hooks["botstar.watch-human-takeover"];
        let body = json!({ "user": { "id": "redispatched" } }).to_string();
        let event = string(&self.api.send(&hook.url, body).await.json()["event"]);
        let path = format!("/v1/events/{event}");
        assert!(answer(self.api.request(Method::GET, &format!("{path}/raw"))).await.text.contains("redispatched"));
        let redispatched = self.api.post(&format!("{path}/redispatch"), &json!({}), 200).await;
        assert_eq!((&redispatched["folded"], &redispatched["takeovers"]), (&json!(1), &json!(1)), "{redispatched}");
        let span = json!({ "after": "2020-01-01T00:00:00Z", "before": "2100-01-01T00:00:00Z", "dry_run": true });
        self.api.post("/v1/events/redispatch", &span, 200).await;
        let store = self.deployment.store();
        let person: SubscriberId = string(&self.api.get(&path, 200).await["subject"]).parse().unwrap();
        let subscriber: StoredSubscriber = store.record(person.as_str()).await.unwrap().unwrap();
        let tombstone = StoredSubscriber {
            place: None,
            version: subscriber.version + 1,
            profile: None,
            erased_at: Some(self.deployment.clock.now()),
            erasing: None,
        };
        store.write_subscriber(&person, &tombstone).await.unwrap();
        let redispatched = self.api.post(&format!("{path}/redispatch"), &json!({}), 200).await;
        assert_eq!(redispatched["events"], 0, "{redispatched}");
        self.deployment.settle().await;
    }
}
