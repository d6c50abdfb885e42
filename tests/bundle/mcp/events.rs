//! MCP Events: a client subscribes an endpoint, and gets events there.

use crate::support::{
    agent::{Agent, MODERN, rejected},
    endpoint::{Endpoint, REPEATS},
    log::Log,
    target::ALLOW,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{Bundle, answer, string};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A key that may subscribe to these types; its id and the key itself.
async fn subscriber_key(bundle: &Bundle, types: &[&str]) -> (String, String) {
    let key = bundle.post("/v1/keys", &json!({ "name": "Agent", "scope": "read", "subscribe": types }), 201).await;
    assert_eq!(key["subscribe"], json!(types));
    (string(&key["id"]), string(&key["key"]))
}

fn subscription(event_type: &str, endpoint: &Endpoint) -> Value {
    let delivery = json!({ "mode": "webhook", "url": endpoint.url, "secret": SECRET });
    json!({ "name": event_type, "arguments": {}, "cursor": null, "delivery": delivery })
}

/// Other fields of a subscription.
fn with(mut subscription: Value, pointer: &str, value: Value) -> Value {
    match subscription.pointer_mut(pointer) {
        Some(field) => *field = value,
        None => subscription[&pointer[1..]] = value,
    }
    subscription
}

#[tokio::test]
async fn a_key_lists_the_events_that_it_may_subscribe_to() {
    let bundle = Bundle::start().await;
    for (types, expected) in
        [(vec!["*"], 14), (vec!["botstar.*"], 7), (vec!["switchboard.*", "botstar.tag.added"], 5), (vec![], 0)]
    {
        let (_, key) = subscriber_key(&bundle, &types).await;
        let listed = Agent::with_key(&bundle, &key).result("events/list", json!({})).await;
        let events = listed["events"].as_array().unwrap();
        assert_eq!((events.len(), listed.get("nextCursor")), (expected, None), "{types:?}");
        for event in events {
            assert_eq!(event["delivery"], json!(["webhook"]));
            assert!(event["description"].as_str().is_some_and(|text| text.ends_with('.')), "{event}");
            for schema in ["inputSchema", "payloadSchema"] {
                assert_eq!(event[schema]["type"], "object", "{event}");
                jsonschema::validator_for(&event[schema]).unwrap();
            }
            let properties = &event["payloadSchema"]["properties"];
            assert!(properties.get("raw").is_none() && !properties["truncated"].to_string().contains("raw"), "{event}");
        }
    }
}

#[tokio::test]
async fn a_client_subscribes_and_gets_events_until_it_unsubscribes() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (key_id, key) = subscriber_key(&bundle, &["botstar.*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    let asked = subscription("botstar.tag.added", &endpoint);
    let granted = agent.result("events/subscribe", asked.clone()).await;
    let id = granted["id"].as_str().unwrap();
    assert_eq!((&granted["cursor"], &granted["truncated"]), (&Value::Null, &json!(false)));
    let [challenge] = endpoint.challenges().try_into().unwrap_or_else(|_| panic!("one challenge"));
    assert!(challenge.id().starts_with("msg_verification_"));
    assert_eq!(challenge.headers["x-mcp-subscription-id"], id);

    let hook = bundle.hook("botstar.watch-tag").await;
    let body = json!({ "user": { "id": "u-1", "name": "Ava" }, "tag": "vip" });
    let event = bundle.accept(&hook, &body).await;
    let call = endpoint.event().await;
    for call in [&challenge, &call] {
        assert!(call.is_signed(SECRET));
        assert_eq!(call.headers["content-type"], "application/json");
    }
    assert_eq!((call.id(), &call.headers["x-mcp-subscription-id"]), (event.as_str(), &id.parse().unwrap()));
    let sent: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!((&sent["eventId"], &sent["name"], &sent["cursor"]), (&json!(event), &asked["name"], &Value::Null));
    assert_eq!((sent.get("type"), sent["data"].get("raw")), (None, None), "{sent}");
    assert_eq!((&sent["data"]["tag"], &sent["data"]["hook"]), (&json!("vip"), &json!(hook.id)));
    let listed = agent.result("events/list", json!({})).await;
    let listed = listed["events"].as_array().unwrap().iter().find(|known| known["name"] == asked["name"]).unwrap();
    jsonschema::validator_for(&listed["payloadSchema"]).unwrap().validate(&sent["data"]).unwrap();

    let route = bundle.get(&format!("/v1/routes/{id}"), 200).await;
    let target = json!({ "type": "mcp", "key": key_id, "arguments": {}, "expires_at": granted["refreshBefore"],
        "url": format!("{}/••••", endpoint.url.split("/mcp").next().unwrap()) });
    assert_eq!((&route["target"], &route["events"]), (&target, &json!(["botstar.tag.added"])));
    assert_eq!(bundle.all("/v1/routes?kind=mcp").await, [route]);
    assert_eq!(bundle.all("/v1/routes").await, [] as [Value; 0]);
    assert_eq!(bundle.get("/v1/routes?kind=webhook", 422).await["code"], "invalid_query");
    let change = bundle.patch(&format!("/v1/routes/{id}"), &json!({ "enabled": false }), 409).await;
    assert_eq!(change["code"], "conflict");

    let ended = json!({ "name": asked["name"], "arguments": {}, "delivery": { "url": endpoint.url } });
    for _ in 0..2 {
        let result = agent.result("events/unsubscribe", ended.clone()).await;
        assert_eq!(result["resultType"], "complete");
    }
    assert_eq!(bundle.all("/v1/routes?kind=mcp").await, [] as [Value; 0]);
    let later = bundle.accept(&hook, &json!({ "user": { "id": "u-2" }, "tag": "vip" })).await;
    bundle.until_count("/v1/subscribers", 2).await;
    assert_eq!(bundle.all(&format!("/v1/deliveries?event={later}")).await, [] as [Value; 0]);
}

#[tokio::test]
async fn switchboards_own_events_are_as_their_schemas_say() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (_, key) = subscriber_key(&bundle, &["switchboard.*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    let target = Endpoint::start(REPEATS).await;
    target.answers_events(410);
    let hook = bundle.hook("botstar.watch-tag").await;
    for (event_type, field, body) in [
        ("switchboard.delivery.dead", "delivery", json!({ "text": "data.unknown.field" })),
        ("switchboard.route.disabled", "reason", json!({ "text": "data.tag" })),
    ] {
        agent.result("events/subscribe", subscription(event_type, &endpoint)).await;
        let target = json!({ "type": "webhook", "url": target.url, "body": body });
        let route = json!({ "name": "Tags", "events": ["botstar.*"], "target": target });
        let route = bundle.post("/v1/routes", &route, 201).await;
        bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": event_type })).await;
        let sent: Value = serde_json::from_slice(&endpoint.event().await.body).unwrap();
        bundle.delete(&format!("/v1/routes/{}", string(&route["id"])), 204).await;
        let listed = agent.result("events/list", json!({})).await;
        let listed = listed["events"].as_array().unwrap().iter().find(|known| known["name"] == event_type).unwrap();
        assert_eq!(sent["name"], event_type);
        assert!(listed["payloadSchema"]["required"].as_array().unwrap().contains(&json!(field)), "{listed}");
        jsonschema::validator_for(&listed["payloadSchema"]).unwrap().validate(&sent["data"]).unwrap();
    }
}

#[tokio::test]
async fn a_renewal_keeps_the_id_needs_no_challenge_and_may_bring_a_secret() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (_, key) = subscriber_key(&bundle, &["*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    let asked = subscription("botstar.tag.added", &endpoint);
    bundle.clock.hold();
    let first = agent.result("events/subscribe", asked.clone()).await;
    bundle.clock.advance(Duration::from_secs(60));
    let renewed = agent.result("events/subscribe", with(asked.clone(), "/delivery/secret", json!(OTHER_SECRET))).await;
    assert_eq!((&first["id"], endpoint.challenges().len()), (&renewed["id"], 1));
    assert!(first["refreshBefore"].as_str() < renewed["refreshBefore"].as_str(), "{first} {renewed}");
    let hook = bundle.hook("botstar.watch-tag").await;
    bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    let call = endpoint.event().await;
    assert!(call.is_signed(SECRET) && call.is_signed(OTHER_SECRET));
    bundle.clock.advance(Duration::from_secs(301));
    bundle.accept(&hook, &json!({ "user": { "id": "u-2" }, "tag": "vip" })).await;
    let call = endpoint.event().await;
    assert!(!call.is_signed(SECRET) && call.is_signed(OTHER_SECRET));
    // After a day, the endpoint must prove itself again.
    bundle.clock.advance(Duration::from_secs(86_400));
    let again = agent.result("events/subscribe", asked).await;
    assert_eq!((&first["id"], endpoint.challenges().len()), (&again["id"], 1));
}

#[tokio::test]
async fn an_ended_subscription_gets_no_events_and_can_be_made_again() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (_, key) = subscriber_key(&bundle, &["*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    bundle.clock.hold();
    let asked = with(subscription("botstar.tag.added", &endpoint), "/ttlMs", json!(60_000));
    let first = agent.result("events/subscribe", asked.clone()).await;
    bundle.clock.advance(Duration::from_secs(61));
    let hook = bundle.hook("botstar.watch-tag").await;
    let missed = bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    bundle.until_count("/v1/subscribers", 1).await;
    assert_eq!(bundle.all(&format!("/v1/deliveries?event={missed}")).await, [] as [Value; 0]);
    let again = agent.result("events/subscribe", asked).await;
    assert_eq!(first["id"], again["id"]);
    let event = bundle.accept(&hook, &json!({ "user": { "id": "u-2" }, "tag": "vip" })).await;
    assert_eq!(endpoint.event().await.id(), event);
}

#[tokio::test]
async fn an_ended_subscription_takes_neither_retries_nor_replays() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (_, key) = subscriber_key(&bundle, &["*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    bundle.clock.hold();
    let asked = with(subscription("botstar.tag.added", &endpoint), "/ttlMs", json!(60_000));
    let id = string(&agent.result("events/subscribe", asked).await["id"]);
    endpoint.answers_events(413);
    let hook = bundle.hook("botstar.watch-tag").await;
    let event = bundle.accept(&hook, &json!({ "user": { "id": "u-1" }, "tag": "vip" })).await;
    endpoint.event().await;
    let dead = bundle.until_count(&format!("/v1/deliveries?state=dead&route={id}"), 1).await.remove(0);
    bundle.clock.advance(Duration::from_secs(61));
    for (path, body) in [
        (format!("/v1/deliveries/{}/retry", string(&dead["id"])), json!({})),
        (format!("/v1/events/{event}/replay"), json!({ "route": id })),
    ] {
        let problem = bundle.post(&path, &body, 409).await;
        assert!(problem["detail"].as_str().unwrap().ends_with("subscription has ended"), "{problem}");
    }
    let retried = bundle.post("/v1/deliveries/retry", &json!({ "route": id }), 200).await;
    assert_eq!((&retried["retried"], &retried["left"]), (&json!(0), &json!(1)));
    assert_eq!(endpoint.events().len(), 0);
}

#[tokio::test]
async fn arguments_select_events() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (_, key) = subscriber_key(&bundle, &["*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    let (hook, other) = (bundle.hook("botstar.watch-tag").await, bundle.hook("botstar.watch-tag").await);
    let odd = "v\"i\\p' || true\n\u{1f600}";
    let asked = subscription("botstar.tag.added", &endpoint);
    let arguments = json!({ "tag": odd, "hook": hook.id });
    let granted = agent.result("events/subscribe", with(asked, "/arguments", arguments.clone())).await;
    assert_eq!(
        bundle.get(&format!("/v1/routes/{}", string(&granted["id"])), 200).await["target"]["arguments"],
        arguments
    );
    let tagged = |person: &str, tag: &str| json!({ "user": { "id": person }, "tag": tag });
    bundle.accept(&other, &tagged("u-1", odd)).await;
    bundle.accept(&hook, &tagged("u-2", "vip")).await;
    let event = bundle.accept(&hook, &tagged("u-3", odd)).await;
    assert_eq!(endpoint.event().await.id(), event);
    bundle.until_count("/v1/subscribers", 3).await;
    assert_eq!(endpoint.events().len(), 0);
}

#[tokio::test]
async fn the_order_of_arguments_does_not_matter() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (_, key) = subscriber_key(&bundle, &["*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    let (hook, asked) = (bundle.hook("botstar.watch-tag").await, subscription("botstar.tag.added", &endpoint));
    let mut ids = Vec::new();
    for arguments in [json!({ "hook": hook.id, "tag": "a" }), json!({ "tag": "a", "hook": hook.id })] {
        ids.push(agent.result("events/subscribe", with(asked.clone(), "/arguments", arguments)).await["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_deleted_key_takes_its_subscriptions_with_it() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let endpoint = Endpoint::start(REPEATS).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (id, key) = subscriber_key(&bundle, &["botstar.*"]).await;
        let agent = Agent::with_key(&bundle, &key);
        for event_type in ["botstar.tag.added", "botstar.subscriber.created"] {
            agent.result("events/subscribe", subscription(event_type, &endpoint)).await;
        }
        keys.push(id);
    }
    assert_eq!((bundle.all("/v1/routes?kind=mcp").await.len(), endpoint.challenges().len()), (4, 2));
    bundle.delete(&format!("/v1/keys/{}", keys[0]), 204).await;
    let left = bundle.all("/v1/routes?kind=mcp").await;
    assert!(left.len() == 2 && left.iter().all(|route| route["target"]["key"] == *keys[1]), "{left:?}");
    let route = string(&left[0]["id"]);
    bundle.delete(&format!("/v1/routes/{route}"), 204).await;
    assert_eq!(bundle.all("/v1/routes?kind=mcp").await.len(), 1);
}

#[tokio::test]
async fn a_subscription_does_not_keep_its_hook_or_connection() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (_, key) = subscriber_key(&bundle, &["botstar.*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    let connection = bundle.connection("botstar").await;
    let hook = bundle.hook_on(&connection, "botstar.watch-tag", json!({})).await;
    let arguments = json!({ "hook": hook.id, "connection": connection });
    let asked = with(subscription("botstar.tag.added", &endpoint), "/arguments", arguments);
    agent.result("events/subscribe", asked.clone()).await;
    bundle.delete(&format!("/v1/hooks/{}", hook.id), 204).await;
    bundle.delete(&format!("/v1/connections/{connection}"), 204).await;
    rejected(&agent.ask("events/subscribe", asked).await, 200, -32602);
}

#[tokio::test]
async fn a_legacy_client_subscribes_too() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (_, key) = subscriber_key(&bundle, &["botstar.*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    let ask = async |method: &str, params: Value| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = answer(agent.bare(&body).header("mcp-protocol-version", "2025-11-25")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["result"].clone()
    };
    let granted = ask("events/subscribe", subscription("botstar.tag.added", &endpoint)).await;
    assert!(granted["id"].is_string() && granted.get("resultType").is_none(), "{granted}");
    assert_eq!(ask("events/list", json!({})).await["events"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn a_key_is_made_for_events_that_exist() {
    let bundle = Bundle::start().await;
    let make = async |subscribe: Value, status: u16| {
        bundle.post("/v1/keys", &json!({ "name": "Agent", "scope": "read", "subscribe": subscribe }), status).await
    };
    for (subscribe, pointer) in [
        (json!(["botstar.*", "viber.*"]), "/subscribe/1"),
        (json!([""]), "/subscribe/0"),
        (json!(["*".repeat(101)]), "/subscribe/0"),
        (json!("*"), "/subscribe"),
        (json!(null), "/subscribe"),
        (json!(vec!["*"; 51]), "/subscribe"),
    ] {
        let problem = make(subscribe, 422).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let made = make(json!([]), 201).await;
    let http = bundle.http.request(Method::GET, format!("{}/v1/keys/current", bundle.local.url));
    let current = answer(http.bearer_auth(string(&made["key"]))).await.json();
    assert_eq!((&current["subscribe"], &made["subscribe"]), (&json!([]), &json!([])));
    let agent = Agent::with_key(&bundle, made["key"].as_str().unwrap());
    assert_eq!(agent.result("server/discover", json!({})).await["supportedVersions"][0], MODERN);
}

#[tokio::test]
async fn a_log_names_tools_and_subscriptions_and_no_secret_or_person() {
    let log = Log::start();
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (key_id, key) = subscriber_key(&bundle, &["botstar.*"]).await;
    let (agent, endpoint) = (Agent::with_key(&bundle, &key), Endpoint::start(REPEATS).await);
    let asked =
        with(subscription("botstar.tag.added", &endpoint), "/arguments", json!({ "tag": "word-of-an-argument" }));
    let id = string(&agent.result("events/subscribe", asked).await["id"]);
    let hook = bundle.hook("botstar.watch-tag").await;
    let body = json!({ "user": { "id": "u-1", "name": "name-of-a-person" }, "tag": "word-of-an-argument" });
    bundle.accept(&hook, &body).await;
    endpoint.event().await;
    agent.failed("get_subscriber", json!({ "id": "name-of-a-person" }), "invalid_body").await;
    let text = log.text();
    for part in [&id, &key_id, r#""tool":"get_subscriber""#, r#""outcome":"invalid_body""#] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for secret in ["word-of-an-argument", "name-of-a-person", "secret-of-the-url", &SECRET[6..], &key] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
