//! Secrets at rest and in the log: no keys, tokens or credentials in either, and no personal data or bodies in the log.

use crate::support::{
    assertions::{BotStar, by_hand, make_key, refused, rejected, with_key},
    log::{Log, contents},
};
use models::fingerprint;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::connections::Connection;
use tests::{Bundle, Sandbox, answer, string};

const PERSON: [&str; 5] = ["Zebedee", "Quartermain", "zebedee@example.org", "+4479460000", "person-id-771"];
const CONTENT: [&str; 3] = ["a-marker-in-the-body", "Caramel Macchiato", "an unhappy customer"];
const CREDENTIALS: [&str; 4] =
    ["first-account-token-of-the-shop", "second-account-token-of-the-shop", "mistyped-secret", Sandbox::DOMAIN];

/// A body that every trigger finds its fields in.
fn body(number: u32) -> Value {
    json!({
        "number": number,
        "user": {
            "id": PERSON[4], "name": PERSON[0], "last_name": PERSON[1], "email": PERSON[2], "phone": PERSON[3],
            "plan": CONTENT[0], "tags": [CONTENT[0]], "webchat_id": PERSON[4], "bm_id": PERSON[4],
        },
        "message": { "text": CONTENT[0] },
        "text": CONTENT[0],
        "tag": CONTENT[0],
        "checkpoint": { "name": CONTENT[0] },
        "record": { "fields": { "Product": CONTENT[1] } },
        "takeover": { "reason": CONTENT[2] },
    })
}

/// Calls every kind of route, well and badly; the keys and tokens that were used.
async fn walk(bundle: &Bundle, botstar: &BotStar) -> Vec<String> {
    let mut secrets = vec![bundle.local.admin_key.secret.clone()];
    for scope in ["read", "act", "admin"] {
        let (id, key) = make_key(bundle, scope).await;
        answer(with_key(bundle, Method::POST, "/v1/keys", &key).json(&json!({}))).await;
        if scope == "act" {
            bundle.delete(&format!("/v1/keys/{id}"), 204).await;
            answer(with_key(bundle, Method::GET, "/v1/hooks", &key)).await;
        }
        secrets.push(key);
    }
    let new = json!({ "platform": "botstar", "name": "Visible Shop", "credentials": { "api_token": CREDENTIALS[0] } });
    let connection = string(&bundle.post("/v1/connections", &new, 201).await["id"]);
    let path = format!("/v1/connections/{connection}");
    let wrong = json!({ "credentials": { "api_tokn": CREDENTIALS[2], "api_token": [CREDENTIALS[2]] } });
    bundle.patch(&path, &wrong, 422).await;
    for (status, body) in [
        (200, "[]".to_owned()),
        (200, format!("\"{}\"", CREDENTIALS[0])),
        (401, format!("bad token {}", CREDENTIALS[0])),
        (500, "down".to_owned()),
    ] {
        botstar.says(status, &[], &body);
        answer(bundle.request(Method::POST, &format!("{path}/test"))).await;
    }
    bundle.patch(&path, &json!({ "credentials": { "api_token": CREDENTIALS[1] } }), 200).await;
    let mut connections = BTreeMap::from([("botstar", connection)]);
    for watch in by_hand() {
        let platform = watch.trigger.platform;
        if !connections.contains_key(platform) {
            connections.insert(platform, bundle.connection(platform).await);
        }
        let hook = bundle.hook_on(&connections[platform], watch.trigger.name, json!({})).await;
        let path = format!("/v1/hooks/{}", hook.id);
        let token = |url: &str| url.rsplit('/').next().unwrap().to_owned();
        secrets.push(token(&hook.url));
        bundle.accept(&hook, &body(1)).await;
        bundle.send(&hook.url, body(1).to_string()).await;
        bundle.send(&hook.url, format!("{{\"broken\": \"{}\"", CONTENT[0])).await;
        bundle.send(&hook.url, format!("\"{}", PERSON[0]).repeat(40_000)).await;
        bundle.send(&hook.url.replace("/hooks/", "/hooks/x"), body(1).to_string()).await;
        answer(bundle.http.get(&hook.url)).await;
        let rotated = bundle.post(&format!("{path}/rotate"), &json!({ "grace_seconds": 60 }), 200).await;
        secrets.push(token(rotated["url"].as_str().unwrap()));
        bundle.accept(&hook, &body(2)).await;
        bundle.post(&format!("{path}/sample"), &json!({}), 200).await;
        bundle.patch(&path, &json!({ "settings": { "mapping": { "subscriber.name": "/user/plan" } } }), 200).await;
        bundle.post(&format!("{path}/remap"), &json!({}), 200).await;
        assert_eq!(rejected(bundle, &hook.id).await.len(), 2);
    }
    for list in ["checkpoint-records", "takeovers"] {
        bundle.until_count(&format!("/v1/{list}"), 3).await;
        bundle.get(&format!("/v1/{list}?unknown={}", PERSON[0]), 422).await;
        bundle.get(&format!("/v1/{list}/{}", PERSON[2]), 404).await;
    }
    bundle.all("/v1/events").await;
    // Of each connection the person, and the one of the samples.
    let people = bundle.until_count("/v1/subscribers", 2 * connections.len()).await;
    let people: Vec<&Value> = people.iter().filter(|person| person["platform_id"] == PERSON[4]).collect();
    assert_eq!(people.len(), connections.len());
    for person in people {
        bundle.delete(&format!("/v1/subscribers/{}", string(&person["id"])), 204).await;
    }
    bundle.delete(&path, 409).await;
    broken_connection(bundle).await;
    secrets
}

/// A connection that no release of ours would have stored: reading it fails inside.
async fn broken_connection(bundle: &Bundle) {
    let app = &bundle.local.app;
    let made = string(&bundle.post("/v1/connections", &json!({ "platform": "botstar", "name": "x" }), 201).await["id"]);
    let mut connection: Connection = app.store.find(&made).await.unwrap().unwrap();
    connection.masked = PERSON[2].to_owned();
    app.store.update(&mut connection).await.unwrap();
    let problem = refused(bundle.request(Method::GET, &format!("/v1/connections/{made}")), 500, "internal").await;
    assert_eq!(problem["detail"], "find the cause in the log, by this problem's `instance`");
}

#[tokio::test]
async fn no_secret_is_stored_in_the_clear_and_none_nor_a_person_is_logged() {
    let log = Log::start();
    let folder = tempfile::tempdir().unwrap();
    let (botstar, url) = BotStar::start().await;
    let settings = [("DATA_DIR", folder.path().to_str().unwrap()), ("BOTSTAR_API_URL", &url)];
    let bundle = Bundle::start_with(&settings).await;

    let secrets = walk(&bundle, &botstar).await;
    let stored = contents(folder.path());
    assert!(stored.contains("Visible Shop") && stored.contains(&fingerprint(&secrets[0])), "what is stored is found");
    for secret in secrets.iter().map(String::as_str).chain(CREDENTIALS) {
        assert!(!stored.contains(secret), "{secret} is stored in the clear");
    }

    let log = log.text();
    let answered = |route: &str| log.contains(&format!("\"route\":\"{route}\""));
    assert!(answered("DELETE /v1/subscribers/{id}"), "{log}");
    for watch in by_hand() {
        assert!(answered(&format!("POST {}/{{token}}", watch.trigger.path)), "{} is logged", watch.trigger.name);
    }
    assert!(log.contains("\"message\":\"failed\"") && log.contains("\"code\":\"internal\""), "{log}");
    let people = PERSON.into_iter().chain(CONTENT).chain(["Ava", "ava@example.com", "webchat.zbqr0d"]);
    for secret in secrets.iter().map(String::as_str).chain(CREDENTIALS).chain(people) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is logged");
    }
}
