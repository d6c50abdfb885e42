//! The MCP server: every tool, and the methods that it rejects.

use super::Walk;
use crate::support::{
    agent::Agent,
    endpoint::{Endpoint, REPEATS},
};
use models::Effect;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{answer, string};

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

    /// Subscriptions: made, renewed, delivered to, ended by the client, by an administrator and with their key.
    pub async fn subscriptions(&self) {
        let new = json!({ "name": "Agent", "scope": "read", "subscribe": ["botstar.*"] });
        let key = self.api.post("/v1/keys", &new, 201).await;
        let agent = Agent::with_key(self.api, key["key"].as_str().unwrap());
        let endpoint = Endpoint::start(REPEATS).await;
        agent.result("events/list", json!({})).await;
        let hook = &self.hooks["botstar.watch-tag"].id;
        let asked = |arguments: Value, secret: &str| {
            let delivery = json!({ "mode": "webhook", "url": endpoint.url, "secret": secret });
            json!({ "name": "botstar.tag.added", "arguments": arguments, "delivery": delivery })
        };
        let (first, second) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let of_origin = json!({ "hook": hook, "connection": self.connections["botstar"] });
        let mut ids = Vec::new();
        for arguments in [of_origin.clone(), json!({ "tag": "vip" }), json!({})] {
            ids.push(agent.result("events/subscribe", asked(arguments, first)).await["id"].clone());
        }
        agent.result("events/subscribe", asked(of_origin.clone(), second)).await;
        self.api.get("/v1/routes?kind=mcp", 200).await;
        self.sample("botstar.watch-tag").await;
        self.deployment.settle().await;
        assert!(endpoint.events().len() >= 3);
        let ended = json!({ "name": "botstar.tag.added", "arguments": of_origin, "delivery": { "url": endpoint.url } });
        agent.result("events/unsubscribe", ended).await;
        self.api.delete(&format!("/v1/routes/{}", string(&ids[1])), 204).await;
        self.api.delete(&format!("/v1/keys/{}", string(&key["id"])), 204).await;
        self.api.get(&format!("/v1/routes/{}", string(&ids[2])), 404).await;
    }
}
