//! The MCP server: every tool, and the methods that it rejects.

use super::Walk;
use crate::support::agent::Agent;
use models::Effect;
use reqwest::Method;
use serde_json::json;
use tests::answer;

impl Walk<'_> {
    pub async fn tools(&self, route: &str) {
        let agent = Agent::of(self.api);
        for method in [Method::GET, Method::DELETE] {
            assert_eq!(answer(self.api.request(method, "/mcp")).await.status, 405);
        }
        agent.result("tools/list", json!({})).await;
        for (action, case) in self.cases() {
            if case.action.effect != Effect::OfMethod {
                let mut arguments = case.input.clone();
                arguments["connection"] = json!(self.connections[case.platform()]);
                agent.call(&action.replace(['.', '-'], "_"), arguments).await;
            }
        }
        self.sample("botstar.watch-human-takeover").await;
        self.deployment.settle().await;
        agent.output("list_connections", json!({})).await;
        let person = &agent.output("list_subscribers", json!({ "platform": "botstar" })).await["items"][0];
        agent.output("list_subscribers", json!({ "platform_id": person["platform_id"] })).await;
        agent.output("get_subscriber", json!({ "id": person["id"] })).await;
        agent.output("list_checkpoint_records", json!({})).await;
        agent.output("list_events", json!({ "subscriber": person["id"] })).await;
        let event = &agent.output("list_events", json!({ "type": "botstar.subscriber.created" })).await["items"][0];
        agent.output("get_event", json!({ "id": event["id"] })).await;
        agent.output("replay_event", json!({ "id": event["id"], "route": route })).await;
        // The walk claims and closes the newest over the API.
        let takeovers = agent.output("list_takeovers", json!({})).await;
        let takeover = takeovers["items"].as_array().unwrap().last().unwrap();
        for tool in ["claim_takeover", "close_takeover"] {
            agent.output(tool, json!({ "id": takeover["id"] })).await;
        }
        for list in [json!({ "state": "pending" }), json!({ "event": event["id"] }), json!({ "expand": "event" })] {
            agent.output("list_deliveries", list).await;
        }
        let dead = &agent.output("list_deliveries", json!({ "state": "dead" })).await["items"][0];
        agent.output("retry_delivery", json!({ "id": dead["id"] })).await;
        self.deployment.settle().await;
    }
}
