//! A walk through all that the functions do, as far as it makes another call to AWS: every route, what runs by itself, and
//! what is done only where something comes between.

mod failing;
mod mcp;
mod redispatch;

use crate::{
    support::{
        action_calls::{ActionCall, cases},
        platforms::{GUEST, credentials, path_of},
        receiver::Receiver,
        target::{TAKES_ALL, Target, route_to},
    },
    template::{deployment::Deployment, iam::TARGETS},
};
use axum::http::StatusCode;
use models::{Effect, Timestamp, clock::Clock as _, fingerprint};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};
use store::idempotency::{CallAnswer, IdempotencyRecord, KeyState};
use tests::{
    Api, TestHook, answer, expect,
    sandbox::{Fault, FaultKind},
    string,
};

struct Walk<'d> {
    deployment: &'d Deployment,
    api: &'d Api,
    /// By platform.
    connections: BTreeMap<&'static str, String>,
    /// By trigger.
    hooks: BTreeMap<&'static str, TestHook>,
}

pub async fn walk(deployment: &Deployment) {
    let mut walk =
        Walk { deployment, api: &deployment.api, connections: BTreeMap::default(), hooks: BTreeMap::default() };
    walk.connections().await;
    walk.hooks().await;
    walk.routes_to_actions().await;
    walk.routes_to_aws().await;
    let routes = walk.routes_to_webhooks().await;
    walk.calls_of_hooks().await;
    walk.calls_of_actions().await;
    walk.failing(&routes["failing"]).await;
    walk.lost_and_poisoned().await;
    walk.unsent_and_stranded().await;
    walk.remaps().await;
    walk.routes(&routes["taking"]).await;
    walk.deliveries().await;
    walk.events(&routes["taking"]).await;
    walk.redispatches().await;
    walk.tools(&routes["taking"]).await;
    walk.subscriptions().await;
    walk.records().await;
    walk.erased_meanwhile().await;
    walk.keys_and_modules().await;
    walk.failing_for_days(&routes["failing"]).await;
    walk.removals(&routes).await;
}

impl Walk<'_> {
    async fn connection(&self, platform: &'static str) -> String {
        let credentials = credentials(platform, &self.deployment.sandbox.url);
        let new = json!({ "platform": platform, "name": "Demo", "credentials": credentials });
        string(&self.api.post("/v1/connections", &new, 201).await["id"])
    }

    async fn connections(&mut self) {
        for platform in registry::PLATFORMS {
            let connection = self.connection(platform.name).await;
            self.connections.insert(platform.name, connection);
        }
        self.api.get("/v1/connections", 200).await;
        let path = format!("/v1/connections/{}", self.connections["chatbot"]);
        self.api.get(&path, 200).await;
        let change = json!({ "credentials": credentials("chatbot", &self.deployment.sandbox.url) });
        self.api.patch(&path, &change, 200).await;
        self.api.post(&format!("{path}/test"), &json!({}), 200).await;
        self.api.delete(&format!("/v1/connections/{}", self.connection("botmother").await), 204).await;
    }

    async fn hooks(&mut self) {
        let refuses = Fault { method: Some(Method::POST), ..FaultKind::BadRequest.on("/webhooks") };
        self.deployment.sandbox.fault(refuses);
        let trigger = "chatbot.watch-message";
        let new = json!({ "trigger": trigger, "name": "Demo", "connection": self.connections["chatbot"] });
        self.api.post("/v1/hooks", &new, 422).await;
        for watch in registry::triggers() {
            let connection = &self.connections[watch.platform.name];
            let hook = self.api.hook_on(connection, watch.trigger.name, json!({})).await;
            self.hooks.insert(watch.trigger.name, hook);
        }
        self.api.get("/v1/hooks", 200).await;
        let path = self.hook("chatbot.watch-message");
        self.api.get(&path, 200).await;
        self.api.patch(&path, &json!({ "name": "Renamed" }), 200).await;
        self.api.post(&format!("{path}/rotate"), &json!({}), 200).await;
        self.forget();
    }

    /// Moves the clock past the minute for which a warm process caches.
    fn forget(&self) {
        self.deployment.advance(61);
    }

    fn hook(&self, trigger: &str) -> String {
        format!("/v1/hooks/{}", self.hooks[trigger].id)
    }

    async fn route(&self, route: Value) -> String {
        string(&self.api.post("/v1/routes", &route, 201).await["id"])
    }

    /// A call of each action that works, by name.
    fn cases(&self) -> BTreeMap<&'static str, ActionCall> {
        let cases = cases(&self.deployment.sandbox).into_iter();
        cases.filter(|case| case.status == 200).map(|case| (case.name(), case)).collect()
    }

    async fn routes_to_actions(&self) {
        for (action, case) in self.cases() {
            let fields = case.input.as_object().unwrap().iter();
            // A literal of JSON is one of CEL.
            let input: Map<String, Value> =
                fields.map(|(name, value)| (name.clone(), value.to_string().into())).collect();
            let connection = &self.connections[case.platform()];
            let target = json!({ "type": "action", "action": action, "connection": connection, "input": input });
            self.route(json!({ "name": action, "events": ["botstar.tag.added"], "target": target })).await;
        }
    }

    async fn routes_to_aws(&self) {
        for arn in TARGETS {
            let target = json!({ "type": "aws", "arn": arn });
            self.route(json!({ "name": arn, "events": ["botstar.subscriber.created"], "target": target })).await;
        }
    }

    async fn routes_to_webhooks(&self) -> BTreeMap<&'static str, String> {
        let (taking, failing, gone) = futures::join!(
            Target::start(TAKES_ALL),
            Target::start(|_| (StatusCode::INTERNAL_SERVER_ERROR, Duration::ZERO)),
            Target::start(|_| (StatusCode::GONE, Duration::ZERO)),
        );
        let mut routes = BTreeMap::new();
        for (name, events, target) in [
            ("taking", "botstar.subscriber.created", taking),
            ("failing", "botstar.takeover.requested", failing),
            ("gone", "botstar.checkpoint_record.created", gone),
        ] {
            routes.insert(name, string(&route_to(self.api, events, &target.url).await["id"]));
        }
        routes
    }

    /// Sends the sample of a trigger to its hook.
    async fn sample(&self, trigger: &str) {
        let sent = self.api.post(&format!("{}/sample", self.hook(trigger)), &json!({}), 200).await;
        assert_eq!(sent["status"], 200, "{sent}");
    }

    /// Each takes a call, a duplicate, the same again after the window, and one that is no event.
    async fn calls_of_hooks(&self) {
        for wait in [0, 0, 601] {
            self.deployment.advance(wait);
            for trigger in self.hooks.keys() {
                self.sample(trigger).await;
            }
        }
        for hook in self.hooks.values() {
            self.api.send(&hook.url, "{").await;
            let rejected = self.api.get(&format!("/v1/hooks/{}/rejected", hook.id), 200).await;
            let id = string(&rejected["items"][0]["id"]);
            let raw = self.api.request(Method::GET, &format!("/v1/hooks/{}/rejected/{id}/raw", hook.id));
            assert_eq!(answer(raw).await.text, "{");
            let path = hook.url.strip_prefix(&self.api.url).expect("a hook of the deployment");
            for (method, status) in [(Method::GET, 200), (Method::PUT, 405)] {
                assert_eq!(answer(self.api.request(method, path)).await.status, status);
            }
        }
        self.deployment.settle().await;
    }

    async fn calls_of_actions(&self) {
        let guest = json!({ "webchat_id": GUEST });
        self.act("botdistrikt.register-user", &guest, "the guest", 200).await;
        for action in self.cases().into_keys() {
            // Anew each time, as a story may have been deleted.
            let case = self.cases().remove(action).unwrap();
            self.act(action, &case.input, "first", 200).await;
            if case.effect() != Effect::Safe {
                self.enlarge(&case, "first").await;
                self.act(action, &case.input, "first", 200).await;
                let mut of_nobody = case.input.clone();
                of_nobody["connection"] = json!("con_nothing");
                self.act(action, &of_nobody, "given back", 404).await;
            }
        }
    }

    async fn act(&self, action: &str, input: &Value, key: &str, status: u16) {
        let mut input = input.clone();
        let platform = action.split('.').next().unwrap();
        let fields = input.as_object_mut().unwrap();
        fields.entry("connection").or_insert_with(|| self.connections[platform].as_str().into());
        let request = self.api.request(Method::POST, &path_of(action)).header("idempotency-key", key);
        expect(request.json(&input), status).await;
    }

    /// Has the kept answer of a call be larger than an item.
    async fn enlarge(&self, case: &ActionCall, key: &str) {
        let (store, now) = (self.deployment.store(), Timestamp::from_millis(0));
        let key = fingerprint(&format!("{} {} {key}", case.name(), self.deployment.key));
        let again = IdempotencyRecord::new(&key, String::new(), "another".to_owned(), now, now);
        let KeyState::Ended(kept, _) = store.begin(again, now).await.unwrap() else {
            panic!("{} has ended", case.name())
        };
        let body = Value::String("x".repeat(500_000)).to_string().into_bytes();
        store.end(&kept, &CallAnswer { status: 200, body }).await.unwrap();
    }

    /// Messages are lost, and the sweep finds their deliveries. What can't be read is set aside.
    async fn lost_and_poisoned(&self) {
        assert!(!self.deployment.aws.lose_messages().is_empty());
        self.deployment.advance(2 * 3_600);
        assert!(self.deployment.sweep().await > 0);
        self.deployment.settle().await;
        self.deployment.dispatch(vec![json!({ "dynamodb": { "SequenceNumber": "1" } })]).await;
        self.deployment.deliver(vec!["no message".to_owned()]).await;
        let set_aside = self.deployment.aws.lose_messages();
        assert_eq!(set_aside.iter().filter(|(queue, _)| queue == "DeadLetterQueue").count(), 2);
    }

    /// First attempts, which are not stored unless their messages can't be sent, come again, or have long been lost.
    async fn unsent_and_stranded(&self) {
        let Deployment { aws, clock, .. } = self.deployment;
        let trigger = "botstar.watch-subscriber";
        self.deployment.advance(601);
        aws.win_race("dispatch", "sqs:SendMessage", "DeliveryQueue");
        self.sample(trigger).await;
        self.deployment.settle().await;
        assert!(self.deployment.sweep().await > 0);
        self.deployment.advance(601);
        self.sample(trigger).await;
        self.deployment.follow().await;
        self.deployment.deliver_as("2", aws.take_messages(clock.now())).await;
        self.deployment.advance(601);
        self.sample(trigger).await;
        self.deployment.follow().await;
        aws.lose_messages();
        self.deployment.advance(2 * 3_600);
        let span = json!({ "after": "2020-01-01T00:00:00Z", "before": "2100-01-01T00:00:00Z", "missing_only": true });
        let mended = self.api.post("/v1/events/replay", &span, 200).await;
        assert!(mended["deliveries"].as_u64() > Some(0), "{mended}");
        self.deployment.settle().await;
    }

    /// An event has nothing left of its person by the time that the answer to its first attempt was stored.
    async fn erased_meanwhile(&self) {
        let (receiver, url) = Receiver::start().await;
        let route = string(&route_to(self.api, "botstar.subscriber.created", &url).await["id"]);
        for status in [200, 500] {
            receiver.says(status, "welcome");
            let hook = &self.hooks["botstar.watch-subscriber"];
            let body = json!({ "user": { "id": format!("told-{status}") } });
            let event = string(&self.api.send(&hook.url, body.to_string()).await.json()["event"]).parse().unwrap();
            self.deployment.follow().await;
            let store = self.deployment.store();
            let scrubbed = async {
                let stored = store.event(&event).await.unwrap().unwrap();
                store.scrub(stored, Timestamp::from_millis(u64::MAX / 1_000)).await.unwrap();
            };
            receiver.meanwhile(self.deployment.settle(), scrubbed).await;
            self.deployment.advance(121);
            self.deployment.settle().await;
            let mut deliveries = store.deliveries_of(&event).await.unwrap();
            deliveries.retain(|delivery| delivery.route.as_str() == route);
            assert!(
                deliveries.len() == 1 && !deliveries[0].has_target_text() && deliveries[0].attempts_made == 1,
                "{deliveries:?}"
            );
        }
        self.api.delete(&format!("/v1/routes/{route}"), 204).await;
    }

    async fn remaps(&self) {
        for trigger in ["botstar.watch-tag", "botstar.watch-human-takeover"] {
            let mapping = json!({ "subscriber.name": "/user/id" });
            self.api.patch(&self.hook(trigger), &json!({ "settings": { "mapping": mapping } }), 200).await;
            self.deployment.aws.win_race("api-hooks", "dynamodb:PutItem", "EventsTable");
            self.api.post(&format!("{}/shape", self.hook(trigger)), &json!({}), 200).await;
            let remapped = self.api.post(&format!("{}/remap", self.hook(trigger)), &json!({}), 200).await;
            assert!(remapped["changed"].as_u64() > Some(0), "{remapped}");
            self.deployment.settle().await;
        }
    }

    async fn routes(&self, route: &str) {
        let path = format!("/v1/routes/{route}");
        self.api.get("/v1/routes", 200).await;
        let hook = &self.hooks["botstar.watch-subscriber"];
        let change = json!({ "hook": hook.id, "connection": hook.connection, "enabled": true });
        self.api.patch(&path, &change, 200).await;
        self.api.post(&format!("{path}/rotate"), &json!({}), 200).await;
        let event = &self.api.get("/v1/events?type=botstar.subscriber.created", 200).await["items"][0]["id"];
        for trial in [json!({}), json!({ "event": event, "send": true })] {
            self.api.post(&format!("{path}/test"), &trial, 200).await;
        }
        let draft = json!({ "events": ["botstar.*"], "hook": hook.id, "connection": hook.connection, "event": event });
        self.api.post("/v1/routes/test", &draft, 200).await;
    }

    async fn deliveries(&self) {
        let dead = &self.api.get("/v1/deliveries?state=dead", 200).await["items"][0];
        for list in [
            "?state=pending&expand=event".to_owned(),
            "?state=skipped".to_owned(),
            format!("?event={}", string(&dead["event"])),
        ] {
            self.api.get(&format!("/v1/deliveries{list}"), 200).await;
        }
        let path = format!("/v1/deliveries/{}", string(&dead["id"]));
        self.api.get(&path, 200).await;
        self.api.post(&format!("{path}/retry"), &json!({}), 200).await;
        self.deployment.settle().await;
        let retried = self.api.post("/v1/deliveries/retry", &json!({}), 200).await;
        assert!(retried["retried"].as_u64() > Some(0), "{retried}");
        self.deployment.settle().await;
    }

    async fn events(&self, route: &str) {
        let events = self.api.get("/v1/events?type=botstar.subscriber.created", 200).await;
        let path = format!("/v1/events/{}", string(&events["items"][0]["id"]));
        self.api.get(&path, 200).await;
        self.api.post(&format!("{path}/replay"), &json!({ "route": route }), 200).await;
        let span = json!({ "after": "2020-01-01T00:00:00Z", "before": "2100-01-01T00:00:00Z", "route": route });
        let replayed = self.api.post("/v1/events/replay", &span, 200).await;
        assert!(replayed["delivered_before"].as_u64() > Some(0), "{replayed}");
        self.deployment.settle().await;
    }

    async fn records(&self) {
        let person = &self.api.get("/v1/subscribers?platform=botstar", 200).await["items"][0];
        self.api.get(&format!("/v1/subscribers?platform_id={}", string(&person["platform_id"])), 200).await;
        let path = format!("/v1/subscribers/{}", string(&person["id"]));
        self.api.get(&path, 200).await;
        self.api.get(&format!("/v1/events?subscriber={}", string(&person["id"])), 200).await;
        let records = self.api.get("/v1/checkpoint-records", 200).await;
        self.api.get(&format!("/v1/checkpoint-records?subscriber={}", string(&person["id"])), 200).await;
        self.api.get(&format!("/v1/checkpoint-records/{}", string(&records["items"][0]["id"])), 200).await;
        let takeover = &self.api.get("/v1/takeovers", 200).await["items"][0];
        let takeover = format!("/v1/takeovers/{}", string(&takeover["id"]));
        self.api.get(&takeover, 200).await;
        for state in ["claimed", "closed"] {
            self.api.patch(&takeover, &json!({ "state": state }), 200).await;
        }
        // The record in the stream arrives after the erasure.
        self.sample("botstar.watch-human-takeover").await;
        self.deployment.aws.win_race("api-subscribers", "dynamodb:PutItem", "EventsTable");
        self.api.delete(&path, 204).await;
        self.deployment.settle().await;
    }

    async fn keys_and_modules(&self) {
        let key = self.api.post("/v1/keys", &json!({ "name": "Demo", "scope": "read" }), 201).await;
        self.api.get("/v1/keys", 200).await;
        self.api.get("/v1/keys/current", 200).await;
        self.api.delete(&format!("/v1/keys/{}", string(&key["id"])), 204).await;
        let key = self.api.post("/v1/keys", &json!({ "name": "Demo", "scope": "admin" }), 201).await;
        self.api.delete(&format!("/v1/keys/{}", string(&key["id"])), 204).await;
        for path in ["metrics", "modules", "openapi.json", "health"] {
            self.api.get(&format!("/v1/{path}"), 200).await;
        }
        for path in ["/console", "/console/console.js"] {
            assert_eq!(answer(self.api.request(Method::GET, path)).await.status, 200);
        }
    }

    async fn removals(&self, routes: &BTreeMap<&str, String>) {
        for route in routes.values() {
            self.api.delete(&format!("/v1/routes/{route}"), 204).await;
        }
        let target = json!({ "type": "webhook", "url": "http://127.0.0.1:9/" });
        let hook = &self.hooks["botstar.watch-tag"].id;
        self.route(json!({ "name": "Demo", "events": ["*"], "hook": hook, "target": target })).await;
        self.deployment.sandbox.fault(Fault { method: Some(Method::DELETE), ..FaultKind::SlowDown.on("/webhooks") });
        self.api.delete(&self.hook("chatbot.watch-message"), 429).await;
        self.api.delete(&self.hook("botstar.watch-tag"), 409).await;
        for hook in self.hooks.values() {
            let path = format!("/v1/hooks/{}?force=true", hook.id);
            assert_eq!(answer(self.api.request(Method::DELETE, &path)).await.status, 204);
        }
    }
}
