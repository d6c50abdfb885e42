//! The demo's events: some history at once, then one every few seconds, with a burst now and then.

use super::{people, world::World};
use crate::{Sandbox, TestHook};
use models::clock::random;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// Number of events of the history.
const HISTORY: usize = 30;
/// A burst follows this many events.
const BURST_EVERY: usize = 25;
const BURST: usize = 8;
/// A call that can't be read follows this many events.
const REJECTED_EVERY: usize = 40;
/// Largest number of open takeovers. The oldest ones are closed.
const OPEN_TAKEOVERS: usize = 3;

pub struct Life {
    world: World,
    sandbox: Sandbox,
    /// Number of events so far.
    number: usize,
}

impl Life {
    pub const fn new(world: World, sandbox: Sandbox) -> Self {
        Self { world, sandbox, number: 0 }
    }

    /// Sends the history: everyone subscribes, one person waits for an operator, and one call can't be read.
    pub async fn begin(&mut self) {
        for person in 0..people::COUNT / 2 {
            self.event_of(Kind::Subscriber, person).await;
        }
        self.event_of(Kind::Takeover, 3).await;
        self.unreadable().await;
        for _ in 0..HISTORY {
            self.next().await;
        }
    }

    pub async fn go_on(mut self, pause: Duration) {
        loop {
            // Half to one and a half of the pause.
            let [chance] = random::<1>().unwrap_or_default();
            sleep(pause / 2 + pause * u32::from(chance) / 255).await;
            self.next().await;
            if self.number.is_multiple_of(BURST_EVERY) {
                for _ in 0..BURST {
                    self.next().await;
                }
            }
            if self.number.is_multiple_of(REJECTED_EVERY) {
                self.unreadable().await;
            }
        }
    }

    /// Sends the next event: mostly orders and messages.
    async fn next(&mut self) {
        let kind = match self.number % 12 {
            0 | 3 | 6 | 9 | 11 => Kind::Record,
            1 | 4 | 8 => Kind::Message,
            2 | 7 => Kind::Tag,
            5 => Kind::Subscriber,
            _ => Kind::Takeover,
        };
        self.event_of(kind, self.number * 7).await;
    }

    async fn event_of(&mut self, kind: Kind, person: usize) {
        self.number += 1;
        let World { records, tags, subscribers, takeovers, .. } = &self.world;
        match kind {
            Kind::Record => self.post("botstar.watch-checkpoint-record", records, person).await,
            Kind::Tag => self.post("botstar.watch-tag", tags, person).await,
            Kind::Subscriber => self.post("botstar.watch-subscriber", subscribers, person).await,
            Kind::Takeover => {
                self.post("botstar.watch-human-takeover", takeovers, person).await;
                self.close_takeovers().await;
            }
            Kind::Message => self.say(person).await,
        }
    }

    async fn post(&self, trigger: &str, hook: &TestHook, person: usize) {
        let body = people::botstar_body(trigger, person, self.number);
        call(self.world.api.http.post(&hook.url).json(&body)).await;
    }

    /// Has a person reach the webhook block of a story at ChatBot.
    async fn say(&self, person: usize) {
        let Some(user) = self.world.chatting.get(person % self.world.chatting.len().max(1)) else { return };
        let (text, attributes) = (people::text(self.number), people::chat_attributes(self.number));
        self.sandbox.say(json!({ "user": user, "text": text, "attributes": attributes })).await;
    }

    async fn unreadable(&self) {
        call(self.world.api.http.post(&self.world.tags.url).body("{\"user\": {\"id\": \"u-1\"")).await;
    }

    /// Closes the oldest open takeovers, as an operator would.
    async fn close_takeovers(&self) {
        let api = &self.world.api;
        let open = call(api.request(Method::GET, "/v1/takeovers?state=open&limit=100")).await;
        for takeover in open["items"].as_array().into_iter().flatten().skip(OPEN_TAKEOVERS) {
            let path = format!("/v1/takeovers/{}", takeover["id"].as_str().unwrap_or_default());
            call(api.request(Method::PATCH, &path).json(&json!({ "state": "closed" }))).await;
        }
    }
}

enum Kind {
    Record,
    Message,
    Tag,
    Subscriber,
    Takeover,
}

/// Sends a request; null without an answer. The user of a demo may delete anything, so every answer is right.
async fn call(request: RequestBuilder) -> Value {
    match request.send().await {
        Ok(response) => response.json().await.unwrap_or_default(),
        Err(_) => Value::Null,
    }
}
