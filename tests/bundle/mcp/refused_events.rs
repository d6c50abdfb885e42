//! Subscriptions that are refused.

use crate::support::{
    agent::{Agent, rejected},
    endpoint::{AnswersChallenge, Endpoint, REPEATS, repeated},
    target::ALLOW,
};
use axum::{
    http::{StatusCode, header},
    response::IntoResponse as _,
};
use data_encoding::BASE64;
use models::Timestamp;
use serde_json::{Value, json};
use std::net::TcpListener;
use tests::{Bundle, string, subscription};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOT_FOUND: i64 = -32011;
const FORBIDDEN: i64 = -32012;
const RESOURCE_EXHAUSTED: i64 = -32013;
const UNSUPPORTED: i64 = -32014;
const CALLBACK_ENDPOINT: i64 = -32015;

async fn key(bundle: &Bundle, types: &[&str]) -> String {
    let key = bundle.post("/v1/keys", &json!({ "name": "Agent", "scope": "read", "subscribe": types }), 201).await;
    string(&key["key"])
}

fn asked(url: &str) -> Value {
    let delivery = json!({ "mode": "webhook", "url": url, "secret": SECRET });
    json!({ "name": "botstar.tag.added", "arguments": {}, "delivery": delivery })
}

#[tokio::test]
async fn params_that_do_not_fit_are_refused_with_a_pointer() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (key, endpoint) = (key(&bundle, &["*"]).await, Endpoint::start(REPEATS).await);
    let agent = Agent::with_key(&bundle, &key);
    let secret = |bytes: usize| json!(format!("whsec_{}", BASE64.encode(&vec![7; bytes])));
    let other_hook = bundle.hook("botstar.watch-subscriber").await.id;
    let other_connection = bundle.connection("chatbot").await;
    let no_hook = "hook_0000000000000000000000000g";
    for (pointer, value) in [
        ("/name", json!(7)),
        ("/name", json!("")),
        ("/arguments", json!([])),
        ("/arguments", json!("x")),
        ("/arguments/filter", json!("true")),
        ("/arguments/checkpoint", json!("End")),
        ("/arguments/tag", json!(7)),
        ("/arguments/tag", json!("")),
        ("/arguments/tag", json!("x".repeat(201))),
        ("/arguments/hook", json!("hook_1")),
        ("/arguments/hook", json!(no_hook)),
        ("/arguments/hook", json!(other_hook)),
        ("/arguments/connection", json!(other_connection)),
        ("/cursor", json!(7)),
        ("/ttlMs", json!(-1)),
        ("/ttlMs", json!(1.5)),
        ("/ttlMs", json!("1000")),
        ("/maxAgeMs", json!("1000")),
        ("/delivery", json!(null)),
        ("/delivery/secret", json!(null)),
        ("/delivery/secret", json!("")),
        ("/delivery/secret", json!("whsec_")),
        ("/delivery/secret", json!("whsec_!")),
        ("/delivery/secret", secret(23)),
        ("/delivery/secret", secret(65)),
        ("/delivery/url", json!("")),
        ("/delivery/url", json!("x")),
        ("/delivery/url", json!("ftp://example.com/")),
        ("/delivery/url", json!("http://192.0.2.1/")),
        ("/delivery/url", json!("https://10.0.0.1/")),
        ("/delivery/url", json!("https://[::1]/")),
        ("/delivery/url", json!("https://169.254.169.254/latest/meta-data")),
        ("/delivery/url", json!("https://user:word@example.com/")),
        ("/delivery/url", json!("https://example.com:0/")),
        ("/delivery/url", json!(format!("https://example.com/{}", "x".repeat(2048)))),
    ] {
        let mut params = asked(&endpoint.url);
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        params.pointer_mut(parent).unwrap()[name] = value.clone();
        let error = rejected(&agent.ask("events/subscribe", params).await, 200, -32602);
        let text = error.to_string();
        assert_eq!(error["data"]["errors"][0]["pointer"], pointer, "{value}: {text}");
        assert!(!text.contains("BwcHB") && !text.contains("MfKQ"), "a secret is not repeated: {text}");
    }
    for method in ["events/subscribe", "events/unsubscribe"] {
        for missing in ["name", "delivery"] {
            let mut params = asked(&endpoint.url);
            params.as_object_mut().unwrap().shift_remove(missing);
            rejected(&agent.ask(method, params).await, 200, -32602);
        }
    }
    assert_eq!((endpoint.challenges().len(), bundle.all("/v1/routes?kind=mcp").await.len()), (0, 0));
}

#[tokio::test]
async fn a_plain_url_is_refused_unless_the_deployment_allows_its_address() {
    let bundle = Bundle::start().await;
    let agent_key = key(&bundle, &["*"]).await;
    let agent = Agent::with_key(&bundle, &agent_key);
    for url in ["http://example.com/", "http://127.0.0.1:9/", "https://127.0.0.1:9/", "https://localhost/"] {
        let error = rejected(&agent.ask("events/subscribe", asked(url)).await, 200, -32602);
        assert_eq!(error["data"]["errors"][0]["pointer"], "/delivery/url", "{url}");
    }
}

#[tokio::test]
async fn each_refusal_has_a_code_of_its_own() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let endpoint = Endpoint::start(REPEATS).await;
    let (some, none) = (key(&bundle, &["botstar.subscriber.created"]).await, key(&bundle, &[]).await);
    let agent = Agent::with_key(&bundle, &some);
    let with = |pointer: &str, value: &str| {
        let mut params = asked(&endpoint.url);
        *params.pointer_mut(pointer).unwrap() = json!(value);
        params
    };
    for name in ["botstar.tag", "botstar.*", "*", "x", "botstar.tag.added "] {
        rejected(&agent.ask("events/subscribe", with("/name", name)).await, 200, NOT_FOUND);
    }
    for agent in [&agent, &Agent::with_key(&bundle, &none), &Agent::of(&bundle)] {
        rejected(&agent.ask("events/subscribe", asked(&endpoint.url)).await, 200, FORBIDDEN);
    }
    let mut push = with("/name", "botstar.subscriber.created");
    for mode in ["push", "poll", "Webhook", ""] {
        push["delivery"]["mode"] = json!(mode);
        rejected(&agent.ask("events/subscribe", push.clone()).await, 200, UNSUPPORTED);
    }
    for method in ["events/poll", "events/stream", "subscriptions/listen"] {
        rejected(&agent.ask(method, json!({})).await, 404, -32601);
    }
    rejected(&agent.ask("events/list", json!({ "cursor": "x" })).await, 200, -32602);
    assert_eq!(endpoint.challenges().len(), 0);
}

#[tokio::test]
async fn an_endpoint_that_does_not_repeat_the_challenge_gets_nothing() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let key = key(&bundle, &["*"]).await;
    let agent = Agent::with_key(&bundle, &key);
    let answers: [(AnswersChallenge, &str); 7] = [
        (|_| StatusCode::OK.into_response(), "challenge_failed"),
        (|_| repeated("x").into_response(), "challenge_failed"),
        (|text| text.to_owned().into_response(), "challenge_failed"),
        (|text| (StatusCode::FOUND, [(header::LOCATION, "/")], text.to_owned()).into_response(), "challenge_failed"),
        (|text| (StatusCode::NOT_FOUND, repeated(text)).into_response(), "http_4xx"),
        (|_| (StatusCode::SERVICE_UNAVAILABLE, "the words of an inner service").into_response(), "http_5xx"),
        (
            |text| (StatusCode::OK, format!("{}{}", " ".repeat(4096), repeated(text))).into_response(),
            "challenge_failed",
        ),
    ];
    for (answers, reason) in answers {
        let endpoint = Endpoint::start(answers).await;
        let error = rejected(&agent.ask("events/subscribe", asked(&endpoint.url)).await, 200, CALLBACK_ENDPOINT);
        assert_eq!((&error["data"], endpoint.challenges().len()), (&json!({ "reason": reason }), 1), "{reason}");
        assert!(!error.to_string().contains("inner service"), "{error}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error =
        rejected(&agent.ask("events/subscribe", asked(&format!("http://{closed}/"))).await, 200, CALLBACK_ENDPOINT);
    assert_eq!(error["data"]["reason"], "connection_refused");
    // It accepts connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let error = rejected(&agent.ask("events/subscribe", asked(&url)).await, 200, CALLBACK_ENDPOINT);
    assert_eq!(error["data"]["reason"], "timeout");
    assert_eq!(bundle.all("/v1/routes?kind=mcp").await.len(), 0);
}

#[tokio::test]
async fn a_key_has_at_most_fifty_subscriptions_also_at_once() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (key, endpoint) = (key(&bundle, &["*"]).await, Endpoint::start(REPEATS).await);
    let agent = &Agent::with_key(&bundle, &key);
    let wish = |number: usize| {
        let mut params = asked(&endpoint.url);
        params["arguments"] = json!({ "tag": format!("tag-{number}") });
        params
    };
    for number in 0..30 {
        agent.result("events/subscribe", wish(number)).await;
    }
    let at_once = futures::future::join_all((30..56).map(|number| agent.ask("events/subscribe", wish(number)))).await;
    let (granted, refused): (Vec<_>, Vec<_>) =
        at_once.into_iter().partition(|answer| answer.json().get("result").is_some());
    assert_eq!((granted.len(), bundle.all("/v1/routes?kind=mcp").await.len()), (20, 50));
    for answer in &refused {
        rejected(answer, 200, RESOURCE_EXHAUSTED);
    }
    let error = rejected(&agent.ask("events/subscribe", wish(60)).await, 200, RESOURCE_EXHAUSTED);
    assert_eq!(error["data"], json!({ "limit": "subscriptions", "max": 50 }));
    agent.result("events/subscribe", wish(0)).await;
    let mut ended = wish(0);
    ended["delivery"] = json!({ "url": endpoint.url });
    agent.result("events/unsubscribe", ended).await;
    agent.result("events/subscribe", wish(60)).await;
}

#[tokio::test]
async fn a_deployment_has_at_most_five_hundred_subscriptions() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (key, endpoint) = (key(&bundle, &["*"]).await, Endpoint::start(REPEATS).await);
    let agent = Agent::with_key(&bundle, &key);
    let later = bundle.local.app.now().plus_seconds(3_600);
    for number in 0..499 {
        bundle.local.app.store.create(&subscription(number, "botstar.tag.added", later)).await.unwrap();
    }
    bundle.local.app.store.create(&subscription(499, "botstar.tag.added", Timestamp::from_millis(2))).await.unwrap();
    agent.result("events/subscribe", asked(&endpoint.url)).await;
    let mut other = asked(&endpoint.url);
    other["arguments"] = json!({ "tag": "vip" });
    let error = rejected(&agent.ask("events/subscribe", other).await, 200, RESOURCE_EXHAUSTED);
    assert_eq!(error["data"], json!({ "limit": "subscriptions", "max": 500 }));
}

#[tokio::test]
async fn a_new_subscription_takes_the_place_of_the_one_that_ended_first() {
    let bundle = Bundle::start_with(&[ALLOW]).await;
    let (key, endpoint) = (key(&bundle, &["*"]).await, Endpoint::start(REPEATS).await);
    let ended = |number: u64| {
        subscription(number.try_into().unwrap(), "botstar.tag.added", Timestamp::from_millis(1_000 - number))
    };
    for number in 0..500 {
        bundle.local.app.store.create(&ended(number)).await.unwrap();
    }
    let granted = Agent::with_key(&bundle, &key).result("events/subscribe", asked(&endpoint.url)).await;
    let stored: Vec<String> =
        bundle.all("/v1/routes?kind=mcp").await.iter().map(|route| string(&route["id"])).collect();
    assert_eq!((stored.len(), stored.contains(&string(&granted["id"]))), (500, true));
    for (number, is_left) in [(499, false), (498, true), (0, true)] {
        assert_eq!(stored.iter().any(|id| *id == ended(number).id.as_str()), is_left, "{number}");
    }
}
