//! Messages of users, and their delivery by the webhook blocks of a story.

use super::{
    World, chance, date,
    users::{Chat, User},
    uuid,
    webhooks::Webhook,
};
use crate::sandbox::{Shared, TIMEOUT, calls, lock};
use futures::future::join_all;
use models::clock::{Clock as _, SystemClock};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Said {
    /// All webhooks by default.
    webhook: Option<String>,
    /// The first user by default.
    user: Option<String>,
    /// Attributes to add to the chat.
    attributes: Map<String, Value>,
    text: Option<String>,
    message_id: Option<String>,
    /// The current version by default.
    version: Version,
    /// True by default.
    with_token: Option<bool>,
    /// Token to send in place of the webhook's.
    token: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
enum Version {
    Legacy,
    #[default]
    Current,
}

impl TryFrom<u8> for Version {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::Legacy),
            2 => Ok(Self::Current),
            _ => Err("version: must be 2 or 1"),
        }
    }
}

/// Call of a webhook.
struct Delivery {
    webhook: Webhook,
    user: String,
    token: Option<String>,
    body: Value,
}

pub async fn say(shared: &Shared, said: Value) -> Result<Value, String> {
    let said: Said = serde_json::from_value(said).map_err(|error| error.to_string())?;
    let deliveries = lock(&shared.chatbot).hear(&said)?;
    Ok(join_all(deliveries.iter().map(|delivery| delivery.make(shared))).await.into())
}

impl World {
    fn hear(&mut self, said: &Said) -> Result<Vec<Delivery>, String> {
        let wanted = |webhook: &&Webhook| said.webhook.as_ref().is_none_or(|id| *id == webhook.id);
        let webhooks: Vec<Webhook> = self.webhooks.iter().filter(wanted).cloned().collect();
        if webhooks.is_empty() && said.webhook.is_some() {
            return Err("webhook: there is no such webhook".to_owned());
        }
        let (chat, now) = (Chat { id: self.id(), created: self.now() }, self.latest);
        let story = self.first_story().unwrap_or_default().to_owned();
        let user = match &said.user {
            Some(id) => self.users.iter_mut().find(|user| user.id == *id),
            None => self.users.first_mut(),
        };
        let user = user.ok_or("user: there is no such user")?;
        user.seen = now;
        if user.chats.is_empty() {
            user.chats.push(chat);
        }
        user.session.extend(said.attributes.clone());
        if let (Version::Current, Some(text)) = (said.version, &said.text) {
            // The body has no text of its own. A story would save the text as an attribute; here its name is `text`.
            user.session.insert("text".to_owned(), text.as_str().into());
        }
        let delivery = |webhook: Webhook| {
            let body = match said.version {
                Version::Current => said.delivery(user, &webhook),
                Version::Legacy => said.legacy_delivery(user, &story),
            };
            let own = || webhook.asked.token.clone();
            let token = said.with_token.unwrap_or(true).then(|| said.token.clone().unwrap_or_else(own));
            Delivery { user: user.id.clone(), webhook, token, body }
        };
        Ok(webhooks.into_iter().map(delivery).collect())
    }
}

impl Said {
    fn delivery(&self, user: &User, webhook: &Webhook) -> Value {
        let user_attributes: Map<String, Value> =
            user.attributes.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
        json!({
            "chatId": user.chats[0].id,
            "messageId": self.message_id.clone().unwrap_or_else(|| uuid(chance())),
            "userId": user.id,
            "externalId": user.user_id,
            "node": {
                "id": uuid(2), "name": "Switchboard", "type": "WEBHOOK",
                "webhookId": webhook.id, "webhookName": webhook.asked.name,
            },
            "userAttributes": user_attributes,
            "attributes": user.session,
        })
    }

    /// Body of the legacy version: the names are documented, most values are synthetic.
    fn legacy_delivery(&self, user: &User, story: &str) -> Value {
        json!({
            "conversationId": user.chats[0].id,
            "result": {
                "source": "sandbox", "resolvedQuery": self.text.as_deref().unwrap_or("Hello"), "confidence": 1,
                "score": 1, "lifespan": 1, "incomplete": false, "storyId": story,
                "interaction": { "id": uuid(2), "name": "Switchboard", "action": "" },
                "parameters": {}, "sessionParameters": user.session, "contexts": [], "fulfillment": [],
            },
            "sessionId": user.user_id,
            "timestamp": date(SystemClock.now()),
            "status": { "code": 200, "type": "success" },
        })
    }
}

impl Delivery {
    /// Calls the webhook and reports the answer, whose attributes become the chat's.
    async fn make(&self, shared: &Shared) -> Value {
        let parameters: Vec<_> = self.token.iter().map(|token| ("token", token.as_str())).collect();
        let request = self.webhook.asked.call(shared, Method::POST, &parameters).json(&self.body);
        let answered = calls::make(request, TIMEOUT).await;
        let mut world = lock(&shared.chatbot);
        match answered.status {
            Some(status) if status.is_success() => {
                if let (Some(set), Ok(user)) = (answered.body["attributes"].as_object(), world.user(&self.user)) {
                    user.session.extend(set.clone());
                }
            }
            Some(status) => world.note_error(&self.webhook.id, &format!("answered {}", status.as_u16())),
            None => world.note_error(&self.webhook.id, answered.body.as_str().unwrap_or_default()),
        }
        json!({
            "webhook": self.webhook.id, "status": answered.status(), "body": answered.body,
            "milliseconds": answered.milliseconds,
        })
    }
}
