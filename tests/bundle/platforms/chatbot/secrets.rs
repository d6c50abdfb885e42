//! Secrets of ChatBot's hooks: no credentials or tokens in answers, at rest or in the log.

use crate::support::{
    chatbot_hooks::{TRIGGER, path, token},
    log::{Log, contents},
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Bundle, TestHook, answer,
    sandbox::{Fault, FaultKind, Sandbox},
    string,
};

const PERSON: [&str; 3] = ["ava@example.com", "a-marker-in-the-text", "a-marker-in-the-reply"];

/// Calls a hook's open end well and badly, and its registration too; the tokens that were used.
async fn walk(sandbox: &Sandbox, bundle: &Bundle) -> Vec<String> {
    let reply = json!({ "responses": [{ "type": "text", "message": format!("{} {{{{/raw}}}}", PERSON[2]) }] });
    let hook = bundle.hook_with(TRIGGER, json!({ "reply": reply })).await;
    let rotated = bundle.post(&format!("{}/rotate", path(&hook)), &json!({}), 200).await;
    let mut secrets = Vec::new();
    for url in [&hook.url, &string(&rotated["url"])] {
        secrets.extend([url.rsplit('/').next().unwrap().to_owned(), token(url)]);
        for query in [format!("token={}", token(url)), "token=wrong-token-of-someone".to_owned(), String::new()] {
            answer(bundle.http.get(format!("{url}?challenge=a-marker-in-the-challenge&{query}"))).await;
            bundle.send(&format!("{url}?{query}"), json!({ "text": PERSON[1] }).to_string()).await;
            bundle.send(&format!("{url}?{query}"), format!("{{\"{}", PERSON[1])).await;
        }
    }
    secrets.extend(["wrong-token-of-someone", "a-marker-in-the-challenge"].map(str::to_owned));
    for said in [json!({ "text": PERSON[1] }), json!({ "version": 1, "text": PERSON[1] }), json!({ "token": "x" })] {
        sandbox.say(said).await;
    }
    bundle.post(&format!("{}/sample", path(&hook)), &json!({}), 200).await;
    secrets.extend(refusals(sandbox, bundle, &hook).await);
    secrets
}

/// Has ChatBot refuse requests and repeat the credentials in its errors. No answer contains them.
async fn refusals(sandbox: &Sandbox, bundle: &Bundle, hook: &TestHook) -> Vec<String> {
    let new = json!({ "trigger": TRIGGER, "name": "x", "connection": hook.connection });
    let kinds = [FaultKind::Echo, FaultKind::Unauthorized, FaultKind::CutBefore, FaultKind::Error, FaultKind::Redirect];
    for method in [Method::POST, Method::DELETE] {
        for kind in kinds {
            sandbox.fault(Fault { method: Some(method.clone()), ..kind.on("/webhooks") });
            let request = match method {
                Method::POST => bundle.request(method.clone(), "/v1/hooks").json(&new),
                _ => bundle.request(method.clone(), &path(hook)),
            };
            let answer = answer(request).await;
            assert!(answer.status.as_u16() > 399 && !answer.text.contains(Sandbox::TOKEN), "{}", answer.text);
        }
    }
    let asked = sandbox.requests().into_iter().filter(|seen| seen.method == Method::POST && seen.path == "/webhooks");
    let reported = asked.map(|seen| serde_json::from_str::<Value>(&seen.body).unwrap());
    reported.flat_map(|reported| [string(&reported["token"]), string(&reported["url"])]).collect()
}

#[tokio::test]
async fn no_token_of_chatbot_is_stored_in_the_clear_and_none_nor_a_person_is_logged() {
    let log = Log::start();
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(0).await.unwrap();
    let (url, data) = (sandbox.chatbot_url(), folder.path().to_str().unwrap());
    let bundle = Bundle::start_with(&[("DATA_DIR", data), ("CHATBOT_API_URL", &url)]).await;

    let secrets = walk(&sandbox, &bundle).await;
    assert_eq!(secrets.len(), 18);
    let (stored, log) = (contents(folder.path()), log.text());
    assert!(stored.contains(TRIGGER) && stored.contains(PERSON[2]), "what is stored is found");
    for route in ["POST /hooks/chatbot/message/{token}", "GET /hooks/chatbot/message/{token}", "DELETE /v1/hooks/{id}"]
    {
        assert!(log.contains(&format!("\"route\":\"{route}\"")), "{log}");
    }
    for secret in secrets.iter().map(String::as_str).chain([Sandbox::TOKEN]) {
        assert!(!stored.contains(secret), "{secret} is stored in the clear");
    }
    for secret in secrets.iter().map(String::as_str).chain([Sandbox::TOKEN]).chain(PERSON) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is logged");
    }
}
