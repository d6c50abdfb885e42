//! The demo's connections, hooks, routes and keys.

use super::{people, receiver::Receiver};
use crate::{Api, Sandbox, TestHook, string};
use models::{
    clock::{Clock as _, SystemClock},
    key::Scope,
};
use serde_json::{Value, json};

/// Days until the end of the key that has one.
const KEY_DAYS: u64 = 30;
/// Number of people who also talk to the bot at ChatBot.
const CHATTING: usize = 6;

pub struct World {
    pub api: Api,
    pub records: TestHook,
    pub tags: TestHook,
    pub subscribers: TestHook,
    pub takeovers: TestHook,
    /// ChatBot's ids of the people there.
    pub chatting: Vec<String>,
}

impl World {
    pub async fn create(api: Api, receiver: &Receiver) -> Self {
        let botstar = connection(&api, "botstar", "Coffee bot", json!({})).await;
        let token = json!({ "access_token": Sandbox::TOKEN });
        let chatbot = connection(&api, "chatbot", "Support bot", token).await;
        let world = Self {
            records: hook(&api, &botstar, "botstar.watch-checkpoint-record", "Orders").await,
            tags: hook(&api, &botstar, "botstar.watch-tag", "Tags").await,
            subscribers: hook(&api, &botstar, "botstar.watch-subscriber", "Newsletter").await,
            takeovers: hook(&api, &botstar, "botstar.watch-human-takeover", "Help desk").await,
            chatting: chatting(&api, &chatbot).await,
            api,
        };
        hook(&world.api, &chatbot, "chatbot.watch-message", "Messages").await;
        world.routes(receiver, &chatbot).await;
        world.keys().await;
        world
    }

    async fn routes(&self, receiver: &Receiver, chatbot: &str) {
        // A person without a customer number can't be mapped, so that delivery is a dead letter at once.
        let input = json!({
            "name": "data.subscriber.name", "email": "data.subscriber.email",
            "custom_user_id": "data.subscriber.attributes.customer_number + '-' + string(data.raw.number)",
        });
        let create = json!({
            "type": "action", "action": "chatbot.create-user", "connection": chatbot, "input": input,
        });
        let webhook = |url: String| json!({ "type": "webhook", "url": url });
        for (name, events, target) in [
            ("Orders to the shop", vec!["botstar.checkpoint_record.created"], webhook(receiver.healthy())),
            ("Everything to the CRM", vec!["botstar.*", "chatbot.*"], webhook(receiver.flaky())),
            ("New subscribers to ChatBot", vec!["botstar.subscriber.created"], create),
        ] {
            self.api.post("/v1/routes", &json!({ "name": name, "events": events, "target": target }), 201).await;
        }
    }

    async fn keys(&self) {
        let end = SystemClock.now().plus_seconds(KEY_DAYS * 86_400);
        for (name, scope, expires_at) in
            [("Support desk", Scope::Operate, None), ("Monthly report", Scope::Read, Some(end))]
        {
            self.api.post("/v1/keys", &json!({ "name": name, "scope": scope, "expires_at": expires_at }), 201).await;
        }
    }
}

async fn connection(api: &Api, platform: &str, name: &str, credentials: Value) -> String {
    let new = json!({ "platform": platform, "name": name, "credentials": credentials });
    string(&api.post("/v1/connections", &new, 201).await["id"])
}

async fn hook(api: &Api, connection: &str, trigger: &str, name: &str) -> TestHook {
    let made = api.post("/v1/hooks", &json!({ "trigger": trigger, "name": name, "connection": connection }), 201).await;
    TestHook { id: string(&made["id"]), connection: connection.to_owned(), url: string(&made["url"]) }
}

/// Creates the people who talk to the bot at ChatBot.
async fn chatting(api: &Api, connection: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for person in 0..CHATTING {
        let user = json!({ "connection": connection, "name": people::name(person), "email": people::email(person) });
        ids.push(string(&api.post("/v1/actions/chatbot/create-user", &user, 200).await["id"]));
    }
    ids
}
