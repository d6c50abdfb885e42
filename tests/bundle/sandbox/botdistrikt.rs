//! The sandbox: BotDistrikt as it plays it.

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tests::{Api, expect, sandbox::Sandbox, string};

/// The headers and the body of every call.
type Called = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

/// Receiver of a platform's calls: it records them and sends a fixed answer.
pub struct Target {
    pub url: String,
    called: Called,
}

impl Target {
    pub async fn start(status: u16, answer: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let called = Called::default();
        let take = async move |State(called): State<Called>, request: Request| {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            called.lock().unwrap().push((parts.headers, serde_json::from_slice(&body).unwrap()));
            (StatusCode::from_u16(status).unwrap(), answer)
        };
        let router = Router::new().fallback(take).with_state(called.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, called }
    }

    /// The latest call.
    pub fn last(&self) -> (HeaderMap, Value) {
        self.called.lock().unwrap().pop().unwrap()
    }
}

/// A sandbox, and a client of the webchat app that BotDistrikt has there.
async fn start() -> (Sandbox, Api) {
    let sandbox = Sandbox::start(0).await.unwrap();
    let api = Api::new(&format!("{}/webchat_apps/{}", sandbox.botdistrikt_url(), Sandbox::WEBCHAT_APP_ID), "none");
    (sandbox, api)
}

fn post(api: &Api, path: &str, body: &Value) -> RequestBuilder {
    api.http.post(format!("{}{path}", api.url)).json(body)
}

async fn register(api: &Api, webchat_id: &str) -> Value {
    expect(post(api, "/user", &json!({ "domain": Sandbox::DOMAIN, "webchat_id": webchat_id })), 200).await
}

/// Message of an error with this status.
async fn refused(request: RequestBuilder, status: u16) -> String {
    let error = expect(request, status).await["error"].take();
    assert_eq!((&error["statusCode"], &error["name"]), (&json!(status), &json!("Error")));
    string(&error["message"])
}

#[tokio::test]
async fn a_user_is_registered_and_may_be_read() {
    let (sandbox, api) = start().await;
    let made = expect(post(&api, "/user", &json!({ "domain": Sandbox::DOMAIN })), 200).await;
    let fields: Vec<&String> = made.as_object().unwrap().keys().take(6).collect();
    assert_eq!(fields, ["webchat_id", "first_name", "last_name", "active", "is_group", "channel"]);
    let webchat_id = string(&made["webchat_id"]);
    assert!(webchat_id.strip_prefix("webchat.").is_some_and(|rest| rest.len() >= 6), "{webchat_id}");
    assert!(string(&made["first_name"]).starts_with("Webchat Guest "), "{made}");
    assert_eq!((&made["active"], &made["is_group"], &made["channel"]), (&json!(true), &json!(false), &json!("web")));
    assert!(made["source"]["tags"].is_array(), "{made}");

    let reported =
        json!({ "webchat_id": "another", "first_name": "Ava", "active": false, "notes": ["vip", { "a": null }] });
    let new = json!({ "domain": Sandbox::DOMAIN, "webchat_id": "u-1", "user": reported });
    let made = expect(post(&api, "/user", &new), 200).await;
    assert_eq!((&made["webchat_id"], &made["first_name"]), (&json!("u-1"), &json!("Ava")));
    assert_eq!((&made["active"], &made["notes"]), (&json!(false), &reported["notes"]));

    let form = [("domain", Sandbox::DOMAIN), ("webchat_id", "u-2")];
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = api.http.post(format!("{}/user", api.url)).body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(expect(request, 200).await["webchat_id"], "u-2");
    assert_ne!(register(&api, "u-1").await, made);
    assert_eq!(sandbox.registrations(), [webchat_id.as_str(), "u-1", "u-2", "u-1"]);
}

#[tokio::test]
async fn a_registration_that_is_wrong_is_refused() {
    let (sandbox, api) = start().await;
    for (body, status, fault) in [
        (json!({}), 401, "domain: "),
        (json!({ "domain": "another.invalid" }), 401, "domain: "),
        (json!({ "domain": [Sandbox::DOMAIN] }), 401, "domain: "),
        (json!([Sandbox::DOMAIN]), 422, "must be an object"),
        (json!({ "domain": Sandbox::DOMAIN, "webchat_id": 7 }), 422, "invalid type: number"),
        (json!({ "domain": Sandbox::DOMAIN, "user": "Ava" }), 422, "invalid type: string"),
        (json!({ "domain": Sandbox::DOMAIN, "name": "Ava" }), 422, "unknown field `name`"),
    ] {
        let said = refused(post(&api, "/user", &body), status).await;
        assert!(said.contains(fault), "{said}: {body}");
    }
    let right = json!({ "domain": Sandbox::DOMAIN });
    refused(api.http.post(format!("{}/user", api.url)).body("{"), 400).await;
    refused(api.http.get(format!("{}/user", api.url)), 404).await;
    refused(post(&api, "/users", &right), 404).await;
    for app in ["4712", "x", ""] {
        let url = format!("{}/webchat_apps/{app}/user", sandbox.botdistrikt_url());
        refused(api.http.post(url).json(&right), 404).await;
    }
    assert!(sandbox.registrations().is_empty());
}

#[tokio::test]
async fn a_message_comes_from_a_user_as_it_was_registered() {
    let (sandbox, api) = start().await;
    let (first, second) = (register(&api, "u-1").await, register(&api, "u-1").await);
    let other = register(&api, "u-2").await;
    let send = |authorization: &str, body: &Value| post(&api, "/message", body).header("authorization", authorization);
    let said = |user: &Value, message: Value| json!({ "domain": Sandbox::DOMAIN, "user": user, "message": message });
    let hello = json!({ "text": "Hello" });
    for (user, message, answer) in [
        (&first, hello.clone(), "You said: Hello"),
        (&second, json!("Hi"), "You said: Hi"),
        (&second, json!({ "type": "event" }), r#"You said: {"type":"event"}"#),
    ] {
        let answered = expect(send("u-1", &said(user, message)), 200).await;
        assert_eq!(answered, json!({ "responses": [{ "text": answer }] }));
    }
    assert_eq!(sandbox.messages()[0], json!({ "webchat_id": "u-1", "user": first, "message": hello }));

    let mut changed = first.clone();
    changed["source"]["note"] = "".into();
    let (mut foreign, mut without) = (said(&first, hello.clone()), said(&first, hello.clone()));
    foreign["domain"] = "another.invalid".into();
    without.as_object_mut().unwrap().remove("user");
    for (authorization, body, status, fault) in [
        ("u-3", said(&first, hello.clone()), 401, "authorization: "),
        ("Bearer u-1", said(&first, hello.clone()), 401, "authorization: "),
        ("u-1", foreign, 401, "domain: "),
        ("u-1", said(&changed, hello.clone()), 422, "user: "),
        ("u-1", said(&other, hello.clone()), 422, "user: "),
        ("u-1", without, 422, "missing field `user`"),
        ("u-1", said(&first, Value::Null), 422, "message: is missing"),
    ] {
        let said = refused(send(authorization, &body), status).await;
        assert!(said.contains(fault), "{said}: {body}");
    }
    refused(post(&api, "/message", &said(&first, hello.clone())), 401).await;
    assert_eq!(sandbox.messages().as_array().unwrap().len(), 3);

    for body in [json!([{ "text": "Hi" }]), json!("Hi"), json!({ "conversation": { "turns": 1 } }), Value::Null] {
        sandbox.answer_messages_with(body.clone());
        assert_eq!(expect(send("u-1", &said(&first, hello.clone())), 200).await, body);
    }
}

#[tokio::test]
async fn the_event_webhook_is_called_with_its_source() {
    let (sandbox, api) = start().await;
    let target = Target::start(200, r#"{"status":"accepted"}"#).await;
    let (first, second) = (register(&api, "u-1").await, register(&api, "u-2").await);
    sandbox.set_event_webhook(&target.url);

    let reported = sandbox.bot_says(json!({ "source": "human", "source_id": "member-7", "text": "Hi" })).await;
    assert_eq!((&reported["status"], &reported["body"]), (&json!(200), &json!({ "status": "accepted" })));
    assert!(reported["milliseconds"].is_u64());
    let (headers, body) = target.last();
    assert_eq!(headers["x-botdistrikt-source"], "human");
    assert_eq!(headers["x-botdistrikt-source-id"], "member-7");
    assert_eq!((&body["webchat_id"], &body["user"]), (&json!("u-2"), &second));
    assert_eq!(body["message"], json!({ "text": "Hi" }));

    sandbox.bot_says(json!({ "source": null, "webchat_id": "u-1" })).await;
    let (headers, silent) = target.last();
    assert!(!headers.keys().any(|name| name.as_str().starts_with("x-")), "{headers:?}");
    assert_eq!(silent["user"], first);
    assert_ne!(silent["created_at"], body["created_at"]);
    for source in ["broadcast", "bot", "a new one"] {
        sandbox.bot_says(json!({ "source": source })).await;
        assert_eq!(target.last().0["x-botdistrikt-source"], source);
    }

    let refusing = Target::start(503, "not now").await;
    sandbox.set_event_webhook(&refusing.url);
    let reported = sandbox.bot_says(json!({})).await;
    assert_eq!((&reported["status"], &reported["body"]), (&json!(503), &json!("not now")));
    assert_eq!(refusing.last().0["x-botdistrikt-source"], "human");
    sandbox.set_event_webhook("http://127.0.0.1:1/");
    let reported = sandbox.bot_says(json!({})).await;
    assert_eq!((&reported["status"], &reported["body"]), (&Value::Null, &json!("there was no answer")));
}

#[tokio::test]
async fn a_separate_sandbox_is_controlled_over_http() {
    let (sandbox, api) = start().await;
    let target = Target::start(200, "{}").await;
    let control = Api::new(&format!("{}/sandbox", sandbox.url), "any");
    let fault = async |path: &str, body: Value| {
        let answer = tests::answer(control.http.post(format!("{}/botdistrikt{path}", control.url)).json(&body)).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        answer.text
    };
    assert!(fault("/say", json!({})).await.starts_with("no Event Webhook is set"));
    assert!(fault("/webhook", json!({ "url": "example.com" })).await.starts_with("url: must begin with"));
    control.post("/botdistrikt/webhook", &json!({ "url": target.url }), 204).await;
    assert!(fault("/say", json!({})).await.starts_with("webchat_id: no such user"));
    let user = register(&api, "u-1").await;
    assert!(fault("/say", json!({ "webchat_id": "u-2" })).await.starts_with("webchat_id: no such user"));
    assert!(fault("/say", json!({ "source": "a\nb" })).await.starts_with("source: "));
    assert!(fault("/say", json!({ "user": "u-1" })).await.starts_with("unknown field `user`"));
    assert_eq!(control.post("/botdistrikt/say", &json!({ "text": "Hi" }), 200).await["status"], 200);
    assert_eq!(target.last().1["message"]["text"], "Hi");

    let said = json!({ "domain": Sandbox::DOMAIN, "user": user, "message": { "text": "Hi" } });
    for (switch, answered) in [
        (json!({ "body": ["Hi"] }), json!(["Hi"])),
        (json!({ "body": null }), Value::Null),
        (json!({}), json!({ "responses": [{ "text": "You said: Hi" }] })),
    ] {
        control.post("/botdistrikt/answer", &switch, 204).await;
        assert_eq!(expect(post(&api, "/message", &said).header("authorization", "u-1"), 200).await, answered);
    }
    refused(post(&api, "/user", &json!({ "domain": "another.invalid" })), 401).await;
    let seen = control.get("/requests", 200).await;
    assert_eq!((&seen[0]["platform"], &seen[0]["path"]), (&json!("botdistrikt"), &json!("/webchat_apps/4711/user")));
    let bodies = [0, 4].map(|at| string(&seen[at]["body"]));
    assert_eq!(bodies, [r#"{"domain":"(the domain)","webchat_id":"u-1"}"#, r#"{"domain":"(not the domain)"}"#]);
}
