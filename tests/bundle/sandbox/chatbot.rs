//! The sandbox: ChatBot as it plays it, and its process.

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tests::{Api, Process, answer, expect, sandbox::Sandbox, string};

const WEBHOOK_TOKEN: &str = "a-webhook-token";

pub async fn start() -> (Sandbox, Api) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let api = Api::new(&sandbox.chatbot_url(), Sandbox::TOKEN);
    (sandbox, api)
}

async fn put(api: &Api, path: &str, body: &Value, status: u16) -> Value {
    expect(api.request(Method::PUT, path).json(body), status).await
}

/// Message of an error with status 400.
async fn refused(api: &Api, method: Method, path: &str, body: &Value) -> String {
    let answer = expect(api.request(method, path).json(body), 400).await;
    assert_eq!(answer["status"]["code"], 400);
    string(&answer["status"]["message"])
}

/// The query and the body of every delivery.
type Delivered = Arc<Mutex<Vec<(String, Value)>>>;

/// An address that ChatBot calls: it repeats the challenge if the token is right, and keeps what is delivered.
struct Receiver {
    url: String,
    delivered: Delivered,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook?own=1", listener.local_addr().unwrap());
        let delivered = Delivered::default();
        let router = Router::new().fallback(receive).with_state(delivered.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, delivered }
    }

    /// Deliveries since the last call.
    fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.delivered.lock().unwrap())
    }
}

async fn receive(State(delivered): State<Delivered>, request: Request) -> (StatusCode, String) {
    let query = request.uri().query().unwrap().to_owned();
    if request.method() == Method::GET {
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap().to_owned();
        return match value("token=") == WEBHOOK_TOKEN {
            true => (StatusCode::OK, value("challenge=")),
            false => (StatusCode::UNAUTHORIZED, String::new()),
        };
    }
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    delivered.lock().unwrap().push((query, serde_json::from_slice(&body).unwrap()));
    (StatusCode::OK, json!({ "responses": [], "attributes": { "answered": "yes" } }).to_string())
}

pub fn webhook(url: &str) -> Value {
    json!({ "name": "Switchboard", "url": url, "token": WEBHOOK_TOKEN, "headers": [], "auth": {} })
}

#[tokio::test]
async fn users_come_in_pages_of_forty_the_newest_first() {
    let (sandbox, api) = start().await;
    sandbox.seed_users(100);
    let (mut lengths, mut users, mut after) = (Vec::new(), Vec::new(), String::new());
    while lengths.last() != Some(&0) {
        let page = api.get(&format!("/users?limit=40{after}"), 200).await;
        assert_eq!(page["count"], 103);
        let data = page["data"].as_array().unwrap().clone();
        lengths.push(data.len());
        users.extend(data);
        after = format!("&after={}", users.last().unwrap()["id"].as_str().unwrap());
    }
    assert_eq!(lengths, [40, 40, 23, 0]);
    let created: Vec<&str> = users.iter().map(|user| user["createdAt"].as_str().unwrap()).collect();
    assert!(created.is_sorted_by(|newer, older| newer > older), "{created:?}");
    assert_eq!(users[102]["createdAt"], "2026-01-01 00:00:03.163Z");
    assert_eq!(users.iter().map(|user| string(&user["id"])).collect::<BTreeSet<_>>().len(), 103);

    let oldest = api.get("/users?limit=1&sort[field]=lastSeen&sort[order]=asc&match=any", 200).await;
    assert_eq!(oldest["data"][0]["id"], users[102]["id"]);
    for (query, fault) in [
        ("limit=0", "limit: must be from 1 to 40"),
        ("limit=41", "limit: must be from 1 to 40"),
        ("after=000000000000000000000000", "after: must be a user's id"),
        ("sort[order]=up", "sort[order]: has an unknown value"),
        ("match=none", "match: has an unknown value"),
        ("filters[0]=x", "filters[0]: is an unknown parameter"),
        ("page=2", "page: is an unknown parameter"),
    ] {
        assert_eq!(refused(&api, Method::GET, &format!("/users?{query}"), &json!({})).await, fault);
    }
}

#[tokio::test]
async fn no_other_token_is_taken_and_every_request_is_kept() {
    let (sandbox, api) = start().await;
    for token in [None, Some("Bearer another"), Some(Sandbox::TOKEN)] {
        let request = api.http.get(format!("{}/users?limit=1", api.url));
        let request = token.iter().fold(request, |request, token| request.header("authorization", *token));
        assert_eq!(expect(request, 401).await["status"]["code"], 401);
    }
    assert_eq!(api.get("/nothing", 404).await["status"]["message"], "no such route");
    let seen = sandbox.requests();
    let paths: Vec<_> = seen.iter().map(|seen| (seen.path.as_str(), seen.query.as_str())).collect();
    assert_eq!(paths, [("/users", "limit=1"), ("/users", "limit=1"), ("/users", "limit=1"), ("/nothing", "")]);
    assert_eq!(seen[1].authorization(), Some("Bearer another"));
    sandbox.forget_requests();
    assert!(sandbox.requests().is_empty());
}

#[tokio::test]
async fn a_user_is_created_changed_and_banned() {
    let (sandbox, api) = start().await;
    let new = json!({ "userId": "u-1", "attributes": { "default_name": "Cleo", "plan": "gold" } });
    let made = api.post("/users", &new, 200).await;
    assert_eq!((&made[0]["status"]["code"], &made[0]["status"]["type"]), (&json!(200), &json!("success")));
    let path = format!("/users/{}", made[0]["id"].as_str().unwrap());
    put(&api, &path, &json!({ "attributes": { "plan": "free" } }), 200).await;
    put(&api, &format!("{path}/ban"), &json!({ "banned": true }), 200).await;
    let user = api.get(&path, 200).await;
    assert_eq!((&user["userId"], &user["banned"]), (&json!("u-1"), &json!(true)));
    assert_eq!((&user["attributes"]["default_name"], &user["attributes"]["plan"]), (&json!("Cleo"), &json!("free")));
    assert_eq!(user["attributes"]["default_email"], Value::Null);
    assert_eq!((&user["conversations"], &user["sessionAttributes"]), (&json!([]), &json!({})));
    assert_eq!(api.get("/users?limit=1", 200).await["data"][0]["conversations"], 0);
    api.get("/users/000000000000000000000000", 404).await;

    let many: Value = (0..100).map(|n| (n.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    for (body, fault) in [
        (json!([]), "must be an object"),
        (json!({ "userId": "u-2" }), "missing field `attributes`"),
        (json!({ "userId": "u-2", "attributes": {} }), "attributes: must have from 1 to 99 keys"),
        (json!({ "userId": "u-2", "attributes": many }), "attributes: must have from 1 to 99 keys"),
        (json!({ "userId": "u-2", "attributes": { "a": 1 } }), "attributes.a: must be a string"),
        (json!({ "userId": "u-2", "attributes": { "a": "" } }), "attributes.a: must not be empty"),
        (json!({ "userId": "u-2", "attributes": { "default_name": "x".repeat(257) } }), "at most 256 characters"),
        (json!({ "userId": "x".repeat(257), "attributes": { "a": "x" } }), "at most 256 characters"),
        (json!({ "userId": null, "attributes": { "a": "x" } }), "invalid type: null"),
        (json!({ "attributes": { "a": "x" } }), "userId: is missing"),
        (json!({ "userId": "u-1", "attributes": { "a": "x" } }), "userId: another user has it"),
        (json!({ "userId": "u-2", "attributes": { "a": "x" }, "name": "x" }), "unknown field `name`"),
        (json!({ "userId": "u-2", "attributes": { "a": "x" }, "segments": "x" }), "segments: there is no such"),
    ] {
        let said = refused(&api, Method::POST, "/users", &body).await;
        assert!(said.contains(fault), "{said}: {body}");
    }
    sandbox.create_answers_object(true);
    let made = api.post("/users", &json!({ "attributes": { "default_email": "d@example.com" } }), 200).await;
    assert_eq!(sandbox.users().as_array().unwrap().last().unwrap()["id"], made["id"]);
}

#[tokio::test]
async fn segments_are_made_and_filled() {
    let (sandbox, api) = start().await;
    let segments = api.get("/users/segments", 200).await;
    assert_eq!((&segments[0]["name"], &segments[1]["name"]), (&json!("Leads"), &json!("Customers")));
    let (leads, customers) = (string(&segments[0]["id"]), string(&segments[1]["id"]));
    let vip = string(&api.post("/users/segments", &json!({ "name": "VIP" }), 200).await["id"]);
    let (first, second) = (string(&sandbox.users()[0]["id"]), string(&sandbox.users()[1]["id"]));

    let path = format!("/users/{first}/segments");
    api.post(&path, &json!([leads]), 200).await;
    api.post(&path, &json!([vip]), 200).await;
    assert_eq!(sandbox.users()[0]["segments"], json!([leads, vip]));
    put(&api, &path, &json!([customers]), 200).await;
    assert_eq!(sandbox.users()[0]["segments"], json!([customers]));
    assert!(refused(&api, Method::PUT, &path, &json!(["x"])).await.contains("no such segment"));
    api.post("/users/000000000000000000000000/segments", &json!([leads]), 404).await;

    let members = json!({ "segments": [leads, customers], "users": [first, second] });
    api.post("/users/segments/members", &members, 200).await;
    let both = json!([leads, customers]);
    assert_eq!([0, 1, 2].map(|n| sandbox.users()[n]["segments"].clone()), [both.clone(), both, json!([])]);
    let nobody = json!({ "segments": [leads], "users": [] });
    assert!(refused(&api, Method::POST, "/users/segments/members", &nobody).await.starts_with("users: "));
    let made = json!({ "attributes": { "default_email": "e@example.com" }, "segments": vip });
    api.post("/users", &made, 200).await;
    let listed = api.get("/users/segments", 200).await;
    assert_eq!([0, 1, 2].map(|n| listed[n]["users"].as_u64()), [Some(2), Some(2), Some(1)]);
}

#[tokio::test]
async fn stories_are_the_same_under_both_prefixes() {
    let (sandbox, api) = start().await;
    for prefix in ["/v2/stories", "/stories"] {
        let before = api.get(prefix, 200).await.as_array().unwrap().len();
        let made = api.post(prefix, &json!({ "name": "Welcome", "description": "Greets" }), 200).await;
        let path = format!("{prefix}/{}", made["id"].as_str().unwrap());
        put(&api, &path, &json!({ "name": "Hello" }), 200).await;
        let story = api.get(&path, 200).await;
        assert_eq!((&story["name"], &story["description"]), (&json!("Hello"), &json!("Greets")));
        assert_eq!(story.get("diagram").is_some(), prefix == "/v2/stories");
        assert_eq!(story.get("interactions").is_some(), prefix == "/stories");
        assert_eq!(sandbox.stories().as_array().unwrap().len(), before + 1);
        let unknown = json!({ "name": "x", "language": "en" });
        assert!(refused(&api, Method::POST, prefix, &unknown).await.contains("unknown field `language`"));
        assert!(refused(&api, Method::PUT, &path, &unknown).await.contains("unknown field `language`"));
        api.delete(&path, 200).await;
        api.get(&path, 404).await;
        assert_eq!(api.get(prefix, 200).await.as_array().unwrap().len(), before);
    }
    api.get("/v2/users", 404).await;
}

#[tokio::test]
async fn a_webhook_is_kept_only_if_its_address_repeats_the_challenge() {
    let (sandbox, api) = start().await;
    let receiver = Receiver::start().await;
    let made = api.post("/webhooks", &webhook(&receiver.url), 200).await;
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());
    let shown = api.get(&path, 200).await;
    assert_eq!((&shown["url"], &shown["token"]), (&json!(receiver.url), &json!(WEBHOOK_TOKEN)));
    assert_eq!(api.get("/webhooks", 200).await[0]["error"], "");

    let closed = "http://127.0.0.1:1/".to_owned();
    for (url, token, fault) in [
        (&receiver.url, "another", "the verification request was answered 401"),
        (&sandbox.url, WEBHOOK_TOKEN, "is not the challenge"),
        (&closed, WEBHOOK_TOKEN, "the verification request had no answer"),
        (&"ftp://example.com".to_owned(), WEBHOOK_TOKEN, "url: must begin with"),
    ] {
        let mut new = webhook(url);
        new["token"] = token.into();
        let said = refused(&api, Method::POST, "/webhooks", &new).await;
        assert!(said.contains(fault), "{said}");
    }
    assert_eq!(sandbox.webhooks().as_array().unwrap().len(), 1);
    api.delete(&path, 200).await;
    api.delete(&path, 404).await;
}

#[tokio::test]
async fn a_users_message_is_delivered() {
    let (sandbox, api) = start().await;
    let receiver = Receiver::start().await;
    assert_eq!(sandbox.say(json!({})).await, json!([]));
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(string(&api.post("/webhooks", &webhook(&receiver.url), 200).await["id"]));
    }
    let said = sandbox.say(json!({ "attributes": { "plan": "free" }, "text": "Hi" })).await;
    assert_eq!((&said[0]["webhook"], &said[1]["webhook"]), (&json!(ids[0]), &json!(ids[1])));
    assert_eq!((&said[0]["status"], &said[0]["body"]["responses"]), (&json!(200), &json!([])));
    assert!(said[0]["milliseconds"].is_u64());
    let user = sandbox.users()[0].clone();
    let delivered = receiver.take();
    let (query, body) = &delivered[0];
    assert_eq!((delivered.len(), query.as_str()), (2, "own=1&token=a-webhook-token"));
    assert_eq!((&body["userId"], &body["externalId"]), (&user["id"], &user["userId"]));
    assert_eq!((&body["chatId"], &body["node"]["type"]), (&user["conversations"][0]["id"], &json!("WEBHOOK")));
    assert_eq!(body["attributes"], json!({ "plan": "free", "text": "Hi" }));
    let known = json!({ "default_email": "ava@example.com", "default_name": "Ava", "plan": "gold" });
    assert_eq!(body["userAttributes"], known);
    assert_ne!(body["messageId"], delivered[1].1["messageId"]);
    assert_eq!(user["sessionAttributes"], json!({ "plan": "free", "text": "Hi", "answered": "yes" }));

    let other = string(&sandbox.users()[1]["id"]);
    let message = "5a7fb3e1-8452-4aee-a7a9-2f0edaeb8e42";
    let to = json!({ "webhook": ids[1], "user": other, "message_id": message, "token": "another" });
    assert_eq!(sandbox.say(to).await.as_array().unwrap().len(), 1);
    let (query, body) = receiver.take().remove(0);
    assert_eq!(
        (query.as_str(), &body["messageId"], &body["userId"]),
        ("own=1&token=another", &json!(message), &json!(other))
    );

    sandbox.say(json!({ "webhook": ids[0], "version": 1, "text": "Hi there", "with_token": false })).await;
    let (query, body) = receiver.take().remove(0);
    assert_eq!((query.as_str(), &body["result"]["resolvedQuery"]), ("own=1", &json!("Hi there")));
    assert_eq!((&body["sessionId"], &body["status"]["code"]), (&user["userId"], &json!(200)));
}

/// The sandbox as a process, on any free port.
fn spawn(folder: &TempDir) -> Process {
    let binary = Path::new(env!("CARGO_BIN_EXE_sandbox"));
    Process::spawn_binary(binary, folder.path(), &[("SANDBOX_PORT", "0")])
}

#[tokio::test]
async fn the_process_prints_its_usage_and_is_controlled_over_http() {
    let folder = TempDir::new().unwrap();
    let mut process = spawn(&folder);
    let setting = process.wait_for("  BOTSTAR_API_URL=");
    let settings = [
        setting,
        process.wait_for("  CHATBOT_API_URL="),
        process.wait_for("  BOTDISTRIKT_API_URL="),
        process.wait_for("  BOTMOTHER_API_URL="),
    ];
    let api_token = process.wait_for("  of BotStar");
    let (token, domain) = (process.wait_for("  of ChatBot"), process.wait_for("  of BotDistrikt the webchat app 4711"));
    let event = process.wait_for("  of Botmother");
    let url = process.listening();
    let bases = [
        "BOTSTAR_API_URL={}/botstar/v1",
        "CHATBOT_API_URL={}/chatbot",
        "BOTDISTRIKT_API_URL={}/botdistrikt/api",
        "BOTMOTHER_API_URL={}",
    ];
    assert_eq!(settings, bases.map(|base| format!("  {}", base.replace("{}", &url))));
    assert!(api_token.ends_with(Sandbox::BOTSTAR_TOKEN), "{api_token}");
    assert!(token.ends_with(Sandbox::TOKEN) && domain.ends_with(Sandbox::DOMAIN), "{token}: {domain}");
    let (id, secret) = (Sandbox::EVENT_ID, Sandbox::EVENT_TOKEN);
    assert!(event.ends_with(&format!(" {url}/api/bot/action/{id}/{secret}")), "{event}");

    let (api, control) = (Api::new(&format!("{url}/chatbot"), Sandbox::TOKEN), Api::new(&url, "any"));
    let help = answer(control.http.get(&url)).await.text;
    assert!(help.contains("POST   /sandbox/faults"), "{help}");
    assert!(settings.iter().chain([&token, &domain, &event]).all(|line| help.contains(line.as_str())), "{help}");
    control.post("/sandbox/chatbot/users", &json!({ "count": 7 }), 204).await;
    let gone = json!({ "kind": "gone", "path": "/users", "method": "get", "times": 2 });
    control.post("/sandbox/faults", &gone, 204).await;
    api.get("/users", 410).await;
    control.delete("/sandbox/faults", 204).await;
    assert_eq!(api.get("/users", 200).await["count"], 10);
    let seen = answer(control.request(Method::GET, "/sandbox/requests")).await;
    assert_eq!(seen.json()[1]["headers"]["authorization"], "Bearer (the access token)");
    assert!(!seen.text.contains(Sandbox::TOKEN), "{}", seen.text);
    control.delete("/sandbox/requests", 204).await;
    assert_eq!(control.get("/sandbox/requests", 200).await, json!([]));

    let receiver = Receiver::start().await;
    api.post("/webhooks", &webhook(&receiver.url), 200).await;
    let said = control.post("/sandbox/chatbot/say", &json!({ "text": "Hi" }), 200).await;
    assert_eq!((&said[0]["status"], receiver.take().len()), (&json!(200), 1));
    for (path, body) in [("faults", json!({ "kind": "fire" })), ("chatbot/say", json!({ "user": "x" }))] {
        let answer = answer(control.request(Method::POST, &format!("/sandbox/{path}")).json(&body)).await;
        assert_eq!(answer.status.as_u16(), 400, "{}", answer.text);
    }

    process.signal("TERM");
    let (status, said) = process.ended();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.ends_with(&format!("listening on {url}\nstopping")), "{said}");
}

#[test]
fn the_process_stops_on_an_interrupt() {
    let folder = TempDir::new().unwrap();
    let mut process = spawn(&folder);
    process.listening();
    process.signal("INT");
    assert_eq!(process.ended().0.code(), Some(0));
}

#[test]
fn a_port_that_is_no_port_is_named() {
    let folder = TempDir::new().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_sandbox"));
    let (status, said) = Process::spawn_binary(binary, folder.path(), &[("SANDBOX_PORT", "x")]).ended();
    assert_eq!(
        (status.code(), said.as_str()),
        (Some(1), "error: SANDBOX_PORT: must be a whole number from 0 to 65535, such as 9100")
    );
}
