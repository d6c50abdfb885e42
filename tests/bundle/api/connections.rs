//! Connections: credentials go in, work, and never come out.

use crate::support::assertions::{BotStar, pointers, problem, refused};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Bundle, TestHook, answer, string};

const TOKEN: &str = "botstar-account-token-7d1e";

async fn make(bundle: &Bundle, credentials: Value) -> Value {
    let new = json!({ "platform": "botstar", "name": "Shop", "credentials": credentials });
    bundle.post("/v1/connections", &new, 201).await
}

#[tokio::test]
async fn a_connection_is_made_read_changed_and_deleted() {
    let bundle = Bundle::start().await;
    let made = make(&bundle, json!({ "api_token": TOKEN })).await;
    let path = format!("/v1/connections/{}", string(&made["id"]));
    assert_eq!((&made["platform"], &made["name"]), (&json!("botstar"), &json!("Shop")));
    assert_eq!(made["credentials"], json!({ "api_token": "••••7d1e" }));
    assert_eq!(made["created_at"], made["updated_at"]);
    assert_eq!(bundle.get(&path, 200).await, made);

    bundle.clock.advance(std::time::Duration::from_secs(1));
    let renamed = bundle.patch(&path, &json!({ "name": "Café ☕" }), 200).await;
    assert_eq!((&renamed["name"], &renamed["credentials"]), (&json!("Café ☕"), &made["credentials"]));
    assert_eq!(renamed["created_at"], made["created_at"]);
    assert!(string(&renamed["updated_at"]) > string(&made["updated_at"]));
    let replaced =
        bundle.patch(&path, &json!({ "credentials": { "api_token": "another-token-that-ends-zzzz" } }), 200).await;
    assert_eq!(replaced["credentials"], json!({ "api_token": "••••zzzz" }));
    let emptied = bundle.patch(&path, &json!({ "credentials": {} }), 200).await;
    assert_eq!(emptied["credentials"], json!({}));
    assert_eq!(bundle.get(&path, 200).await, emptied);

    let second = bundle.connection("botstar").await;
    let ids: Vec<String> = bundle.all("/v1/connections").await.iter().map(|one| string(&one["id"])).collect();
    assert_eq!(ids, [second, string(&made["id"])], "newest first");
    bundle.delete(&path, 204).await;
    for (method, path) in [(Method::GET, path.clone()), (Method::DELETE, path.clone()), (Method::POST, path + "/test")]
    {
        refused(bundle.request(method, &path), 404, "not_found").await;
    }
    assert_eq!(bundle.all("/v1/connections").await.len(), 1);
}

#[tokio::test]
async fn a_mask_shows_the_tail_of_a_long_secret_only() {
    let bundle = Bundle::start().await;
    for (secret, shown) in [
        ("0123456789abcdef", json!("••••cdef")),
        ("0123456789abcde", json!("••••")),
        ("x", json!("••••")),
        (&"x".repeat(4096), json!("••••xxxx")),
    ] {
        let made = make(&bundle, json!({ "api_token": secret })).await;
        assert_eq!(made["credentials"]["api_token"], shown);
    }
    let none = make(&bundle, json!({ "api_token": null })).await;
    assert_eq!(none["credentials"], json!({ "api_token": null }));
}

#[tokio::test]
async fn bad_credentials_are_refused_without_being_repeated() {
    let bundle = Bundle::start().await;
    let made = make(&bundle, json!({ "api_token": TOKEN })).await;
    let path = format!("/v1/connections/{}", string(&made["id"]));
    let secret = "a-secret-in-the-wrong-place";
    for (credentials, pointer) in [
        (json!({ "token": secret }), "/credentials/token"),
        (json!({ "a/b~c": secret }), "/credentials/a~1b~0c"),
        (json!({ "api_token": [secret] }), "/credentials/api_token"),
        (json!({ "api_token": { "x": secret } }), "/credentials/api_token"),
        (json!({ "api_token": "" }), "/credentials/api_token"),
        (json!({ "api_token": secret.repeat(200) }), "/credentials/api_token"),
        // These could not be sent in a header.
        (json!({ "api_token": format!("{secret}\n") }), "/credentials/api_token"),
        (json!({ "api_token": format!("{secret}\0") }), "/credentials/api_token"),
        (json!([secret]), "/credentials"),
        (json!(secret), "/credentials"),
    ] {
        let new = json!({ "platform": "botstar", "name": "Shop", "credentials": credentials });
        for request in [
            bundle.request(Method::POST, "/v1/connections").json(&new),
            bundle.request(Method::PATCH, &path).json(&json!({ "credentials": credentials })),
        ] {
            let problem = refused(request, 422, "invalid_body").await;
            assert_eq!(pointers(&problem), [pointer], "{problem}");
            assert!(!problem.to_string().contains(secret), "{problem}");
        }
    }
    assert_eq!(bundle.all("/v1/connections").await, [made]);
}

#[tokio::test]
async fn a_platform_that_needs_credentials_gets_no_connection_without() {
    let bundle = Bundle::start().await;
    for (more, pointer) in [
        (json!({}), "/credentials"),
        (json!({ "credentials": null }), "/credentials"),
        (json!({ "credentials": {} }), "/credentials/access_token"),
    ] {
        let mut new = json!({ "platform": "chatbot", "name": "Shop" });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problem = refused(bundle.request(Method::POST, "/v1/connections").json(&new), 422, "invalid_body").await;
        assert_eq!(pointers(&problem), [pointer], "{problem}");
    }
    assert_eq!(bundle.all("/v1/connections").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_connection_with_a_hook_or_a_route_stays() {
    let bundle = Bundle::start().await;
    let TestHook { id, connection, .. } = bundle.hook("botstar.watch-tag").await;
    let path = format!("/v1/connections/{connection}");
    let problem = refused(bundle.request(Method::DELETE, &path), 409, "connection_in_use").await;
    assert!(string(&problem["detail"]).contains(&id), "{problem}");
    bundle.get(&path, 200).await;
    bundle.delete(&format!("/v1/hooks/{id}"), 204).await;
    let action = json!({ "type": "action", "action": "chatbot.get-user", "input": { "user_id": "subject" } });
    let other = bundle.connection("chatbot").await;
    for (connection, of, on) in [(&connection, Some(&connection), &other), (&other, None, &other)] {
        let mut target = action.clone();
        target["connection"] = json!(on);
        let route = json!({ "name": "n", "events": ["*"], "connection": of, "target": target });
        let route = string(&bundle.post("/v1/routes", &route, 201).await["id"]);
        let path = format!("/v1/connections/{connection}");
        let problem = refused(bundle.request(Method::DELETE, &path), 409, "connection_in_use").await;
        assert!(string(&problem["detail"]).contains(&route), "{problem}");
        bundle.delete(&format!("/v1/routes/{route}"), 204).await;
        bundle.delete(&path, 204).await;
    }
}

/// Tests a connection with this token against a BotStar that says this.
async fn tested(status: u16, headers: &[(&'static str, &str)], body: &str) -> (Answer, BotStar) {
    let (botstar, url) = BotStar::start().await;
    let bundle = Bundle::start_with(&[("BOTSTAR_API_URL", &url)]).await;
    botstar.says(status, headers, body);
    let made = make(&bundle, json!({ "api_token": TOKEN })).await;
    let path = format!("/v1/connections/{}/test", string(&made["id"]));
    let answer = answer(bundle.request(Method::POST, &path)).await;
    assert!(!answer.text.contains(TOKEN), "{}", answer.text);
    (answer, botstar)
}

#[tokio::test]
async fn a_test_asks_botstar_for_its_bots() {
    let bots = r#"[{"id":"b-1","name":"Shop","team_name":"Sales"},{"id":"b-2","name":"Help","extra":{"a":1}}]"#;
    let (answer, botstar) = tested(200, &[], bots).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json(), json!({ "ok": true, "detail": "the token reaches 2 bots: Shop (b-1), Help (b-2)" }));
    assert_eq!(botstar.asked(), [(Method::GET, "/v1/bots/".to_owned(), format!("Bearer {TOKEN}"))]);
}

#[tokio::test]
async fn without_a_token_there_is_nothing_to_ask() {
    let (botstar, url) = BotStar::start().await;
    let bundle = Bundle::start_with(&[("BOTSTAR_API_URL", &url)]).await;
    let connection = bundle.connection("botstar").await;
    let tested = bundle.post(&format!("/v1/connections/{connection}/test"), &json!({}), 200).await;
    assert_eq!(tested["ok"], Value::Null);
    assert_eq!(botstar.asked(), []);
}

#[tokio::test]
async fn an_error_of_botstar_becomes_a_problem_in_its_own_words() {
    for (says, status, code) in [
        (400, 422, "platform_rejected"),
        (401, 424, "connection_unauthorized"),
        (403, 424, "connection_unauthorized"),
        (404, 404, "not_found"),
        (408, 504, "platform_timeout"),
        (422, 422, "platform_rejected"),
        (429, 429, "platform_slow_down"),
        (500, 502, "platform_unavailable"),
        (503, 502, "platform_unavailable"),
        (504, 504, "platform_timeout"),
    ] {
        let (answer, _) = tested(says, &[("retry-after", "17")], r#"{"message":"the words of BotStar"}"#).await;
        let problem = problem(&answer, status, code);
        let detail = string(&problem["detail"]);
        assert!(detail.contains(&says.to_string()) && detail.contains("the words of BotStar"), "{problem}");
        let wait = answer.headers.get("retry-after").map(|value| value.to_str().unwrap());
        // The test only reads, so that any failure that passes may be asked for again.
        let passes = says >= 500 || matches!(says, 408 | 429);
        assert_eq!(wait, passes.then_some("17"), "{says}");
    }
}

#[tokio::test]
async fn nonsense_from_botstar_is_a_bad_gateway() {
    for body in ["", "<html>", "{}", r#"{"bots":[]}"#, r#"[{"id":true}]"#, "[1]", "\"b-1\"", "[{\"name\":\"no id\"}]"] {
        let (answer, _) = tested(200, &[], body).await;
        problem(&answer, 502, "platform_unavailable");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, url) = BotStar::start().await;
    elsewhere.says(200, &[], "[]");
    for status in [301, 302, 303, 307, 308] {
        let (answer, _) = tested(status, &[("location", &url)], "").await;
        problem(&answer, 502, "platform_unavailable");
    }
    assert_eq!(elsewhere.asked(), []);
}

#[tokio::test]
async fn a_token_that_botstar_repeats_is_taken_out() {
    let long = |before: usize| format!("{}{TOKEN}", "x".repeat(before));
    for (status, body) in [
        (401, format!("{{\"message\":\"bad token {TOKEN}\"}}")),
        (500, format!("{TOKEN}{TOKEN}")),
        (200, format!("\"{TOKEN}\"")),
        (200, format!("[{{\"id\":[\"{TOKEN}\"]}}]")),
        (200, format!("{{\"{TOKEN}\":1}}")),
        // Cut where the words end, its first half would be left.
        (403, long(490)),
        (403, long(480)),
    ] {
        let (answer, _) = tested(status, &[], &body).await;
        assert!(answer.status.is_client_error() || answer.status.is_server_error());
        assert!(!answer.text.contains(&TOKEN[..8]), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_botstar_that_is_not_there_is_a_bad_gateway() {
    let bundle = Bundle::start_with(&[("BOTSTAR_API_URL", "http://127.0.0.1:9")]).await;
    let made = make(&bundle, json!({ "api_token": TOKEN })).await;
    let path = format!("/v1/connections/{}/test", string(&made["id"]));
    let problem = refused(bundle.request(Method::POST, &path), 502, "platform_unavailable").await;
    assert_eq!(problem["detail"], "cannot connect");
}
