//! The part of the walk in which routes fail.

use super::Walk;
use serde_json::json;

impl Walk<'_> {
    /// A route fails until its breaker opens, and then now and then.
    pub(super) async fn failing(&self, route: &str) {
        let trigger = "botstar.watch-human-takeover";
        self.api.patch(&self.hook(trigger), &json!({ "settings": { "dedupe_seconds": 0 } }), 200).await;
        self.forget();
        for _ in 0..7 {
            self.sample(trigger).await;
        }
        for wait in [0, 6, 67] {
            self.deployment.advance(wait);
            self.deployment.aws.win_race("deliver", "dynamodb:PutItem", "ControlTable");
            self.deployment.settle().await;
        }
        let route = self.api.get(&format!("/v1/routes/{route}"), 200).await;
        assert_eq!(route["health"]["state"], "failing", "{route}");
    }

    /// A route fails until it is disabled, and is enabled again.
    pub(super) async fn failing_for_days(&self, route: &str) {
        let path = format!("/v1/routes/{route}");
        self.sample("botstar.watch-human-takeover").await;
        self.deployment.settle().await;
        self.deployment.advance(5 * 86_400);
        self.deployment.sweep().await;
        self.deployment.settle().await;
        assert_eq!(self.api.get(&path, 200).await["disabled_reason"], "failing");
        let enabled = self.api.patch(&path, &json!({ "enabled": true }), 200).await;
        assert_eq!(enabled["health"]["state"], "healthy", "{enabled}");
    }
}
