//! ChatBot's hooks: the webhook that is made there, its verification, and its end.

use crate::support::{
    assertions::{make_key, problem, refused, with_key},
    chatbot_hooks::{TRIGGER, path, start, token, webhooks},
    harness::{Fault as StoreFault, Harness},
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tests::{
    Bundle, answer, expect,
    sandbox::{Fault, FaultKind, Sandbox},
    string,
};

/// A fault at the next deletion of a webhook.
fn on_delete(kind: FaultKind) -> Fault {
    Fault { method: Some(Method::DELETE), ..kind.on("/webhooks") }
}

fn verification(bundle: &Bundle, url: &str, query: &[(&str, &str)]) -> RequestBuilder {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    bundle.http.get(format!("{url}?{query}"))
}

async fn verified(bundle: &Bundle, url: &str, token: &str) -> u16 {
    answer(verification(bundle, url, &[("challenge", "abc"), ("token", token)])).await.status.as_u16()
}

#[tokio::test]
async fn a_new_hook_is_a_webhook_at_chatbot_under_the_same_name() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    let new = json!({ "trigger": TRIGGER, "name": "Orders ☕", "connection": connection });
    let made = bundle.post("/v1/hooks", &new, 201).await;
    let url = string(&made["url"]);
    let [webhook] = webhooks(&sandbox).try_into().unwrap();
    assert_eq!(
        webhook,
        json!({
            "id": webhook["id"], "name": "Orders ☕", "url": url, "token": token(&url), "headers": [], "auth": {},
            "error": null,
        })
    );
    let registration = json!({ "state": "registered", "webhook": webhook["id"], "token": token(&url) });
    assert_eq!(made["registration"], registration);
    assert!(string(&made["setup"]).contains("Webhook block"), "{made}");
    let asked: Vec<String> = sandbox.requests().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(asked, ["POST /webhooks"]);

    let path = format!("/v1/hooks/{}", string(&made["id"]));
    assert_eq!(bundle.get(&path, 200).await, made);
    let (_, key) = make_key(&bundle, "read").await;
    let unseen = expect(with_key(&bundle, Method::GET, &path, &key), 200).await;
    assert_eq!((&unseen["url"], &unseen["registration"]["token"]), (&Value::Null, &Value::Null));
    assert_eq!(unseen["registration"]["webhook"], webhook["id"]);
}

#[tokio::test]
async fn a_hook_that_is_not_stored_is_not_registered() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    let harness = Harness::beside(&bundle).failing(RetryConfig::disabled(), |operation, _| match operation {
        "TransactWriteItems" => StoreFault::Unreached,
        _ => StoreFault::None,
    });
    let new = json!({ "trigger": TRIGGER, "name": "Orders", "connection": connection }).to_string();
    problem(&harness.answer(Method::POST, "/v1/hooks", new).await, 503, "store_unavailable");
    assert!(sandbox.requests().is_empty());
}

#[tokio::test]
async fn the_challenge_is_answered_as_plain_text() {
    let (_sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    for enabled in [true, false] {
        bundle.patch(&path(&hook), &json!({ "enabled": enabled }), 200).await;
        for challenge in ["3f2a", "<script>alert(1)</script>", "é ☕ a+b=c&d", "{\"json\": true}"] {
            let query = [("challenge", challenge), ("token", &token(&hook.url))];
            let answer = answer(verification(&bundle, &hook.url, &query)).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, challenge));
            assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        }
    }
}

#[tokio::test]
async fn without_the_right_token_nothing_is_repeated() {
    let (_sandbox, bundle) = start().await;
    let (hook, other) = (bundle.hook(TRIGGER).await, bundle.hook("botstar.watch-tag").await);
    let right = token(&hook.url);
    let secret = hook.url.rsplit('/').next().unwrap();
    for wrong in ["", "wrong", secret, &right[1..], &right.to_uppercase(), &format!("{right}0"), &token(&other.url)] {
        let query = [("challenge", "<b>mark</b>"), ("token", wrong)];
        let problem = refused(verification(&bundle, &hook.url, &query), 401, "unauthorized").await;
        assert!(!problem.to_string().contains("mark"), "{problem}");
    }
    refused(verification(&bundle, &hook.url, &[("challenge", "mark")]), 401, "unauthorized").await;
    for query in [vec![("token", right.as_str())], vec![("token", right.as_str()), ("challenge", "")]] {
        let ready = answer(verification(&bundle, &hook.url, &query)).await;
        assert_eq!((ready.status.as_u16(), ready.json()), (200, json!({ "status": "ready" })));
    }
    let foreign = format!("{}/hooks/chatbot/message/{}", bundle.local.url, other.url.rsplit('/').next().unwrap());
    for url in [foreign, format!("{}x", hook.url), hook.url.replace(secret, &hook.id)] {
        let query = [("challenge", "mark"), ("token", &token(&url))];
        let problem = refused(verification(&bundle, &url, &query), 404, "not_found").await;
        assert!(!problem.to_string().contains("mark"), "{problem}");
    }
}

#[tokio::test]
async fn a_rotated_hook_is_verified_and_called_at_both_urls_until_the_grace_ends() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let rotated = bundle.post(&format!("{}/rotate", path(&hook)), &json!({ "grace_seconds": 100 }), 200).await;
    let (old, new) = (hook.url.as_str(), string(&rotated["url"]));
    assert_eq!(rotated["registration"]["token"], token(&new));
    assert_eq!(rotated["registration"]["state"], "stale");
    assert!(string(&rotated["setup"]).contains("by hand"), "{rotated}");
    assert_eq!(webhooks(&sandbox)[0]["url"], old, "no document describes how to change it");
    let both = async || (verified(&bundle, old, &token(old)).await, verified(&bundle, &new, &token(&new)).await);
    let crossed = async || (verified(&bundle, old, &token(&new)).await, verified(&bundle, &new, &token(old)).await);
    assert_eq!((both().await, crossed().await), ((200, 200), (401, 401)));
    assert_eq!(sandbox.say(json!({})).await[0]["status"], 200);
    bundle.clock.advance(Duration::from_secs(100));
    assert_eq!((both().await, crossed().await), ((404, 200), (404, 401)));
    assert_eq!(sandbox.say(json!({})).await[0]["status"], 404);
    assert_eq!(bundle.all("/v1/events").await.len(), 1);
    bundle.delete(&path(&hook), 204).await;
    assert_eq!(webhooks(&sandbox), [Value::Null; 0]);
}

#[tokio::test]
async fn a_renamed_hook_keeps_its_name_at_chatbot() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    sandbox.forget_requests();
    let renamed = bundle.patch(&path(&hook), &json!({ "name": "Leads" }), 200).await;
    assert_eq!((&renamed["name"], &renamed["registration"]["state"]), (&json!("Leads"), &json!("registered")));
    assert!(string(&renamed["setup"]).contains("After a renaming"), "{renamed}");
    assert_eq!(webhooks(&sandbox)[0]["name"], "Demo");
    assert!(sandbox.requests().is_empty());
}

#[tokio::test]
async fn hooks_of_one_name_are_webhooks_of_their_own() {
    let (sandbox, bundle) = start().await;
    let connection = bundle.connection("chatbot").await;
    let first = bundle.hook_on(&connection, TRIGGER, json!({})).await;
    let second = bundle.hook_on(&connection, TRIGGER, json!({})).await;
    let said = sandbox.say(json!({ "text": "Hi" })).await;
    assert_eq!((&said[0]["status"], &said[1]["status"]), (&json!(200), &json!(200)));
    for hook in [&first, &second] {
        assert_eq!(bundle.all(&format!("/v1/events?hook={}", hook.id)).await.len(), 1);
    }
    bundle.until_count("/v1/subscribers", 1).await;
    bundle.delete(&path(&first), 204).await;
    let [left] = webhooks(&sandbox).try_into().unwrap();
    assert_eq!(left["url"], second.url);
    refused(bundle.http.post(&first.url).body("{}"), 404, "not_found").await;
    sandbox.say(json!({ "text": "Hi again" })).await;
    assert_eq!(bundle.all(&format!("/v1/events?hook={}", second.id)).await.len(), 2);
}

#[tokio::test]
async fn a_webhook_that_is_gone_at_chatbot_is_no_obstacle() {
    let (sandbox, bundle) = start().await;
    for kind in [None, Some(FaultKind::NotFound), Some(FaultKind::Gone), Some(FaultKind::Empty)] {
        let hook = bundle.hook(TRIGGER).await;
        match kind {
            Some(kind) => sandbox.fault(on_delete(kind)),
            None => {
                let url = format!("{}/webhooks/{}", sandbox.chatbot_url(), string(&webhooks(&sandbox)[0]["id"]));
                expect(bundle.http.delete(url).bearer_auth(Sandbox::TOKEN), 200).await;
            }
        }
        bundle.delete(&path(&hook), 204).await;
        refused(bundle.request(Method::GET, &path(&hook)), 404, "not_found").await;
    }
}

#[tokio::test]
async fn a_hook_stays_if_its_webhook_can_not_be_deleted() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    for (kind, status, code) in [
        (FaultKind::Error, 502, "platform_unavailable"),
        (FaultKind::Unavailable, 502, "platform_unavailable"),
        (FaultKind::Redirect, 502, "platform_unavailable"),
        (FaultKind::CutBefore, 502, "platform_unavailable"),
        (FaultKind::SlowDown, 429, "platform_slow_down"),
        (FaultKind::Unauthorized, 424, "connection_unauthorized"),
        (FaultKind::Forbidden, 424, "connection_unauthorized"),
        (FaultKind::BadRequest, 422, "platform_rejected"),
        (FaultKind::EnvelopeError, 422, "platform_rejected"),
        (FaultKind::Echo, 422, "platform_rejected"),
    ] {
        sandbox.fault(on_delete(kind));
        let answer = answer(bundle.request(Method::DELETE, &path(&hook))).await;
        let problem = problem(&answer, status, code);
        let detail = string(&problem["detail"]);
        assert!(detail.contains("the hook was not deleted; ?force=true deletes it"), "{kind:?}: {detail}");
        assert!(!answer.text.contains(Sandbox::TOKEN), "{kind:?}: {detail}");
        assert_eq!(answer.headers.contains_key("retry-after"), kind == FaultKind::SlowDown);
        assert_eq!(bundle.get(&path(&hook), 200).await["registration"]["state"], "registered");
        assert_eq!(sandbox.say(json!({})).await[0]["status"], 200);
    }
    assert_eq!(webhooks(&sandbox).len(), 1);
    let forced = |value: &str| bundle.request(Method::DELETE, &format!("{}?force={value}", path(&hook)));
    refused(forced("yes"), 422, "invalid_query").await;
    for kind in [FaultKind::Unavailable, FaultKind::HangBefore, FaultKind::Unauthorized] {
        let hook = bundle.hook(TRIGGER).await;
        sandbox.fault(on_delete(kind));
        expect(bundle.request(Method::DELETE, &format!("{}?force=true", path(&hook))), 204).await;
        refused(bundle.request(Method::GET, &path(&hook)), 404, "not_found").await;
        assert!(
            webhooks(&sandbox).iter().any(|webhook| webhook["url"] == hook.url),
            "{kind:?}: it is left to the user"
        );
    }
    expect(forced("true"), 204).await;
    assert!(
        webhooks(&sandbox).iter().all(|webhook| webhook["url"] != hook.url),
        "a platform that answers loses its webhook"
    );
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_finished_by_the_next() {
    let (sandbox, bundle) = start().await;
    for kind in [FaultKind::Cut, FaultKind::Nonsense, FaultKind::WrongShape, FaultKind::Huge] {
        let hook = bundle.hook(TRIGGER).await;
        sandbox.fault(on_delete(kind));
        let problem = refused(bundle.request(Method::DELETE, &path(&hook)), 502, "platform_unavailable").await;
        assert_eq!(problem["retry"], "unknown", "{kind:?}");
        assert_eq!(webhooks(&sandbox), [Value::Null; 0], "{kind:?}");
        bundle.delete(&format!("{}?force=false", path(&hook)), 204).await;
    }
}

#[tokio::test]
async fn a_hook_outlives_credentials_that_chatbot_refuses() {
    let (sandbox, bundle) = start().await;
    let hook = bundle.hook(TRIGGER).await;
    let change = async |token: &str| {
        let credentials = json!({ "credentials": { "access_token": token } });
        bundle.patch(&format!("/v1/connections/{}", hook.connection), &credentials, 200).await;
    };
    change("another-token-of-chatbot-0123456789").await;
    let problem = refused(bundle.request(Method::DELETE, &path(&hook)), 424, "connection_unauthorized").await;
    assert!(!problem.to_string().contains("another-token"), "{problem}");
    assert_eq!(sandbox.say(json!({})).await[0]["status"], 200);
    bundle.delete(&format!("/v1/connections/{}", hook.connection), 409).await;
    change(Sandbox::TOKEN).await;
    bundle.delete(&path(&hook), 204).await;
    bundle.delete(&format!("/v1/connections/{}", hook.connection), 204).await;
    assert_eq!(webhooks(&sandbox), [Value::Null; 0]);
}

/// A ChatBot that answers as little as it can: it repeats what it refuses, gives no id of what it makes, and knows
/// webhooks of others.
async fn terse(seen: State<Arc<Mutex<Vec<String>>>>, request: Request) -> (StatusCode, String) {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let asked: Value = serde_json::from_str(&body).unwrap_or_default();
    let mut seen = seen.lock().unwrap();
    let answer = match (method.as_str(), path.as_str()) {
        ("POST", "/webhooks") if asked["name"] == "refused" => return (StatusCode::BAD_REQUEST, format!("no {body}")),
        ("POST", "/webhooks") => {
            seen.push(string(&asked["url"]));
            json!({ "id": "" })
        }
        ("GET", "/webhooks") => {
            let others = [json!({ "id": "w-0", "url": null }), json!({ "id": "w-1", "url": "https://example.com/" })];
            others.into_iter().chain([json!({ "id": "w-2", "url": seen[0] })]).collect()
        }
        _ => {
            seen.push(format!("{method} {path}"));
            json!({ "status": { "code": 404 } })
        }
    };
    (StatusCode::OK, answer.to_string())
}

#[tokio::test]
async fn a_terse_chatbot_is_understood_and_what_it_repeats_is_no_secret() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(terse).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let bundle = Bundle::start_with(&[("CHATBOT_API_URL", &url)]).await;

    let hook = bundle.hook(TRIGGER).await;
    assert_eq!(bundle.get(&path(&hook), 200).await["registration"]["webhook"], "w-2");
    bundle.delete(&path(&hook), 204).await;
    assert_eq!(*seen.lock().unwrap(), [hook.url, "DELETE /webhooks/w-2".to_owned()]);

    let new = json!({ "trigger": TRIGGER, "name": "refused", "connection": hook.connection });
    let problem = refused(bundle.request(Method::POST, "/v1/hooks").json(&new), 422, "platform_rejected").await;
    let detail = string(&problem["detail"]);
    let shown = format!("\"url\":\"{}/hooks/chatbot/message/••••\",\"token\":\"••••\"", bundle.local.url);
    assert!(detail.contains(&shown), "{detail}");
}
