//! A bundle with hooks of every trigger, and the property that is held against it.

use super::calls::{Call, HOOKS};
use flate2::read::MultiGzDecoder;
use futures::{StreamExt as _, stream};
use models::{EventId, SubscriberId};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    io::Read as _,
    time::Duration,
};
use store::text;
use tests::{Bundle, Sandbox, TestHook, answer, eventually, string};

/// Calls under way at a time.
const CONCURRENCY: usize = 8;
/// The statuses of a hook's answers.
const STATUSES: [u16; 6] = [200, 400, 401, 405, 413, 415];

pub struct HookedBundle {
    bundle: Bundle,
    _sandbox: Sandbox,
    hooks: BTreeMap<(String, usize), TestHook>,
    marker: TestHook,
}

/// An accepted event, with the bodies of which it has to give one back: calls of one message are one event, by whichever
/// came first.
struct Accepted {
    id: String,
    bodies: Vec<Option<Vec<u8>>>,
    call: Call,
}

impl HookedBundle {
    pub async fn start() -> Self {
        let sandbox = Sandbox::start(0).await.expect("a sandbox");
        let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &sandbox.url)]).await;
        let mut hooks = BTreeMap::new();
        let copies = (0..5).map(|n| (format!("subscriber.attributes.a{n}"), json!("")));
        let mut mapping: serde_json::Map<String, Value> = copies.collect();
        mapping.insert("subscriber.name".to_owned(), json!("/data"));
        for watch in registry::triggers() {
            let connection = bundle.connection(watch.platform.name).await;
            let odd = json!({ "mapping": mapping, "keep_query": true, "dedupe_seconds": 0 });
            let settings: [Value; HOOKS] = [json!({}), odd];
            for (number, settings) in settings.into_iter().enumerate() {
                let hook = bundle.hook_on(&connection, watch.trigger.name, settings).await;
                hooks.insert((watch.trigger.name.to_owned(), number), hook);
            }
        }
        let marker = bundle.hook("botstar.watch-tag").await;
        Self { bundle, _sandbox: sandbox, hooks, marker }
    }

    /// Plays calls and holds the property; the number of accepted events.
    pub async fn play(&self, calls: &[Call]) -> usize {
        let sent: Vec<Option<Accepted>> =
            stream::iter(calls).map(|call| self.send(call)).buffered(CONCURRENCY).collect().await;
        let mut accepted: BTreeMap<String, Accepted> = BTreeMap::new();
        for event in sent.into_iter().flatten() {
            match accepted.entry(event.id.clone()) {
                Entry::Occupied(mut first) => first.get_mut().bodies.extend(event.bodies),
                Entry::Vacant(place) => {
                    place.insert(event);
                }
            }
        }
        self.dispatched("first").await;
        let people = stream::iter(accepted.values()).map(|event| self.read(event)).buffered(CONCURRENCY);
        let people: BTreeSet<String> = people.collect::<Vec<_>>().await.into_iter().flatten().collect();
        self.listed(&accepted, &people).await;
        self.remapped().await;
        self.erased(&accepted).await;
        accepted.len()
    }

    async fn send(&self, call: &Call) -> Option<Accepted> {
        let hook = &self.hooks[&(call.trigger.clone(), call.hook)];
        let url = if call.query.is_empty() { hook.url.clone() } else { format!("{}?{}", hook.url, call.query) };
        let mut headers = HeaderMap::new();
        for (name, value) in &call.headers {
            let bytes: Vec<u8> = value.chars().map(|character| character as u8).collect();
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, HeaderValue::from_bytes(&bytes).expect("a value"));
        }
        let method: Method = call.method.parse().expect("a method");
        let request = self.bundle.http.request(method, url).headers(headers).body(call.body.clone());
        let answer = answer(request).await;
        assert!(STATUSES.contains(&answer.status.as_u16()), "{}: {}", answer.status, answer.text);
        let id = answer.headers.get("x-switchboard-event")?.to_str().expect("an id").to_owned();
        let encoded = call.headers.iter().any(|(name, _)| name == "content-encoding");
        let body = if encoded { inflated(&call.body) } else { Some(call.body.clone()) };
        Some(Accepted { id, bodies: vec![body], call: call.clone() })
    }

    /// Waits until all that was accepted before has been dispatched. The stream keeps its order, and the second marker comes
    /// in a batch after that of the first.
    async fn dispatched(&self, harness: &str) {
        for tag in [format!("{harness}-a"), format!("{harness}-b")] {
            let marker = json!({ "user": { "id": "the marker" }, "tag": tag });
            self.bundle.accept(&self.marker, &marker).await;
            eventually(|| async {
                let marked = self.bundle.get(&format!("/v1/subscribers?tag={tag}"), 200).await;
                marked["items"].as_array()?.iter().any(|one| one["platform_id"] == "the marker").then_some(())
            })
            .await;
        }
        let store = &self.bundle.local.app.store;
        let letters = store.client.query().table_name(&store.tables.control).key_condition_expression("pk = :kind");
        let letters = letters.expression_attribute_values(":kind", text("dead_letter")).send().await.expect("a query");
        assert_eq!(letters.items(), [], "an event was set aside");
    }

    /// Reads an event and the person in it; the person's id.
    async fn read(&self, accepted: &Accepted) -> Option<String> {
        let path = format!("/v1/events/{}", accepted.id);
        let event = self.bundle.get(&path, 200).await;
        let data = &event["data"];
        assert!(data.is_object() && event["id"] == accepted.id.as_str(), "{event}");
        let raw = self.bundle.request(Method::GET, &format!("{path}/raw")).send().await.expect("an answer");
        assert_eq!(raw.status(), 200);
        let raw = raw.bytes().await.expect("a body");
        let is_one = |body: &Option<Vec<u8>>| body.as_ref().is_none_or(|body| *body == raw);
        assert!(accepted.bodies.iter().any(is_one), "the body of {:?}", accepted.call);
        let id: EventId = accepted.id.parse().expect("an event's id");
        let stored = self.bundle.local.app.store.event(&id).await.expect("a read").expect("an event");
        assert_eq!(stored.raw.as_deref(), Some(&raw[..]));
        let person = event["subject"].as_str()?.to_owned();
        assert_eq!(data["subscriber"]["id"], person.as_str(), "{event}");
        let subscriber = eventually(|| async {
            let answer = answer(self.bundle.request(Method::GET, &format!("/v1/subscribers/{person}"))).await;
            (answer.status == 200).then(|| answer.json())
        })
        .await;
        assert_eq!(subscriber["platform_id"], data["subscriber"]["platform_id"], "{subscriber}");
        Some(person)
    }

    async fn listed(&self, accepted: &BTreeMap<String, Accepted>, people: &BTreeSet<String>) {
        for view in ["", "?view=summary"] {
            let events = self.bundle.all(&format!("/v1/events{view}")).await;
            let ids: BTreeSet<String> = events.iter().map(|event| string(&event["id"])).collect();
            assert!(accepted.keys().all(|id| ids.contains(id)), "an event is missing in the list{view}");
            assert!(events.iter().all(|event| event["data"].is_object()), "an event can't be shown");
        }
        let subscribers = self.bundle.all("/v1/subscribers").await;
        let ids: BTreeSet<String> = subscribers.iter().map(|one| string(&one["id"])).collect();
        assert!(people.iter().all(|id| ids.contains(id)), "a person is missing in the list");
        assert!(subscribers.iter().all(|one| one["platform_id"].is_string()), "a person can't be shown");
        self.bundle.all("/v1/checkpoint-records").await;
        let takeovers = self.bundle.all("/v1/takeovers").await;
        let reported = accepted.values().filter(|event| event.call.trigger.ends_with("human-takeover")).count();
        assert_eq!(takeovers.len(), reported, "takeovers");
        for hook in self.hooks.values() {
            for call in self.bundle.all(&format!("/v1/hooks/{}/rejected", hook.id)).await {
                let raw = format!("/v1/hooks/{}/rejected/{}/raw", hook.id, string(&call["id"]));
                let status = self.bundle.request(Method::GET, &raw).send().await.expect("an answer").status();
                assert!(status == 200 || (call["body"].is_null() && status == 404), "{call}");
            }
        }
    }

    /// Reads every event in another way.
    async fn remapped(&self) {
        for hook in self.hooks.values() {
            let path = format!("/v1/hooks/{}", hook.id);
            let mapping = json!({ "subscriber.id": "/id", "subscriber.email": "/text", "tag": "/name" });
            self.bundle.patch(&path, &json!({ "settings": { "mapping": mapping } }), 200).await;
            let mut cursor = String::new();
            loop {
                let remapped = self.bundle.post(&format!("{path}/remap{cursor}"), &json!({}), 200).await;
                let Some(next) = remapped["next"].as_str() else { break };
                cursor = format!("?cursor={next}");
            }
        }
        self.dispatched("second").await;
    }

    /// Erases everybody. Nothing is left of an event that has a person.
    async fn erased(&self, accepted: &BTreeMap<String, Accepted>) {
        let people = self.bundle.all("/v1/subscribers").await;
        self.bundle.clock.advance(Duration::from_millis(10));
        let erase = |id: String| async move {
            let person: SubscriberId = id.parse().expect("a person's id");
            let path = format!("/v1/subscribers/{person}");
            let status = answer(self.bundle.request(Method::DELETE, &path)).await.status.as_u16();
            assert!(status == 204, "DELETE of a person: {status}");
            assert_eq!(answer(self.bundle.request(Method::GET, &path)).await.status, 404);
        };
        stream::iter(people.iter().map(|person| erase(string(&person["id"]))))
            .buffered(CONCURRENCY)
            .collect::<()>()
            .await;
        for event in self.bundle.all("/v1/events?view=summary").await {
            if !event["subject"].is_null() && accepted.contains_key(&string(&event["id"])) {
                let path = format!("/v1/events/{}", string(&event["id"]));
                assert!(self.bundle.get(&path, 200).await["data"]["raw"].is_null(), "{event}");
                assert_eq!(answer(self.bundle.request(Method::GET, &format!("{path}/raw"))).await.status, 404);
            }
        }
        assert_eq!(self.bundle.all("/v1/subscribers").await, [Value::Null; 0]);
    }
}

fn inflated(body: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(body).read_to_end(&mut bytes).ok().map(|_| bytes)
}
