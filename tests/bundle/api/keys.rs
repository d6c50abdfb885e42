//! Keys: who may call what.

use crate::support::assertions::{make_key, problem, refused, with_key};
use models::fingerprint;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Bundle, Lambda, answer, eventually, expect, string};

/// The scopes, each with those before it.
const SCOPES: [&str; 4] = ["read", "operate", "act", "admin"];

/// The scope that a route takes, as the contract has it, by its place among the scopes.
fn scope(method: &Method, path: &str) -> Option<usize> {
    match path {
        "/v1/openapi.json" | "/v1/health" => None,
        "/mcp" => (method == Method::POST).then_some(0),
        _ if path.starts_with("/hooks/") || path.starts_with("/console") => None,
        _ if method == Method::GET => Some(0),
        _ if path.starts_with("/v1/actions/") => Some(2),
        _ if ["/test", "/replay", "/redispatch", "/retry"].iter().any(|end| path.ends_with(end)) => {
            // That of a connection calls its platform.
            Some(if path.starts_with("/v1/connections/") { 3 } else { 1 })
        }
        "/v1/takeovers/{id}" => Some(1),
        _ => Some(3),
    }
}

/// Every route: its method, its path as it is stated, and a path that leads to nothing.
fn routes() -> Vec<(Method, &'static str, String)> {
    let routes = catalog::functions().flat_map(|function| function.routes);
    let nowhere =
        |path: &str| path.replace("{id}", "nothing").replace("{token}", "nothing").replace("{rejected_id}", "nothing");
    routes.map(|route| (Method::try_from(route.method).unwrap(), route.path, nowhere(route.path))).collect()
}

fn assert_unauthorized(answer: &Answer) {
    problem(answer, 401, "unauthorized");
    assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
}

#[tokio::test]
async fn without_a_good_key_a_route_answers_401() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let token = hook.url.rsplit('/').next().unwrap();
    let (_, key) = make_key(&bundle, "admin").await;
    let bad = [
        format!("Bearer {key}x"),
        format!("Bearer {}", key.to_lowercase()),
        format!("Bearer {}", fingerprint(&key)),
        format!("Bearer {token}"),
        "Bearer".to_owned(),
        "Bearer  ".to_owned(),
        format!("Basic {key}"),
        key.clone(),
    ];
    let routes = routes();
    assert!(routes.len() > 25, "the routes are stated");
    for (method, path, url) in &routes {
        let request = || bundle.http.request(method.clone(), format!("{}{url}", bundle.local.url));
        let bare = answer(request()).await;
        if scope(method, path).is_none() {
            assert_ne!(bare.status, 401, "{method} {path} is public");
            continue;
        }
        assert_unauthorized(&bare);
        for header in &bad {
            assert_unauthorized(&answer(request().header("authorization", header)).await);
        }
    }
    // The scheme of `Authorization` is case-insensitive.
    let lower =
        bundle.http.get(format!("{}/v1/keys", bundle.local.url)).header("authorization", format!("bearer {key}"));
    expect(lower, 200).await;
}

#[tokio::test]
async fn a_key_reaches_as_far_as_its_scope() {
    let bundle = Bundle::start().await;
    let mut keys = Vec::new();
    for scope in SCOPES {
        keys.push(make_key(&bundle, scope).await.1);
    }
    for (method, path, url) in routes() {
        let Some(needed) = scope(&method, path) else { continue };
        for (reach, key) in keys.iter().enumerate() {
            let answer = answer(with_key(&bundle, method.clone(), &url, key)).await;
            if reach < needed {
                problem(&answer, 403, "forbidden");
            } else {
                let status = answer.status.as_u16();
                assert!(matches!(status, 200 | 400 | 404), "{method} {path} with key {reach}: {}", answer.text);
            }
        }
    }
    for (scope, key) in SCOPES.iter().zip(&keys).take(3) {
        let refused = refused(with_key(&bundle, Method::POST, "/v1/keys", key), 403, "forbidden").await;
        assert_eq!(refused["detail"], format!("the key's scope is {scope}; this requires admin"));
    }
}

#[tokio::test]
async fn a_key_is_shown_once() {
    let bundle = Bundle::start().await;
    let made = bundle.post("/v1/keys", &json!({ "name": "Shop", "scope": "read" }), 201).await;
    let key = made["key"].as_str().unwrap();
    // 256 random bits, in base64.
    assert!(key.strip_prefix("sbk_").is_some_and(|random| random.len() == 43), "{key}");
    let other = make_key(&bundle, "read").await.1;
    assert_ne!(other, key);
    let listed = answer(bundle.request(Method::GET, "/v1/keys")).await;
    assert!(!listed.text.contains(key) && !listed.text.contains(&fingerprint(key)), "{}", listed.text);
    let mut expected = made.clone();
    expected["key"] = json!(null);
    assert_eq!(listed.json()["items"][1], expected, "newest first, as it was made, without the key");
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 3, "with the first one");
}

#[tokio::test]
async fn a_deleted_key_ends_at_once() {
    let bundle = Bundle::start().await;
    let (id, key) = make_key(&bundle, "admin").await;
    let (_, other) = make_key(&bundle, "read").await;
    let list = || with_key(&bundle, Method::GET, "/v1/hooks", &key);
    expect(list(), 200).await;
    // It may end itself.
    expect(with_key(&bundle, Method::DELETE, &format!("/v1/keys/{id}"), &key), 204).await;
    assert_unauthorized(&answer(list()).await);
    expect(with_key(&bundle, Method::GET, "/v1/hooks", &other), 200).await;
    refused(bundle.request(Method::DELETE, &format!("/v1/keys/{id}")), 404, "not_found").await;
    assert_eq!(bundle.all("/v1/keys").await.len(), 2);
}

#[tokio::test]
async fn the_admin_key_is_the_one_that_the_setting_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let keys = ["the-first-admin-key-of-this-installation", "a-second-admin-key-that-takes-its-place"];
    for (key, old) in [(keys[0], keys[1]), (keys[1], keys[0])] {
        let bundle = Bundle::start_with(&[("DATA_DIR", folder), ("ADMIN_KEY", key)]).await;
        expect(with_key(&bundle, Method::GET, "/v1/keys", key), 200).await;
        assert_unauthorized(&answer(with_key(&bundle, Method::GET, "/v1/keys", old)).await);
        let listed = expect(with_key(&bundle, Method::GET, "/v1/keys", key), 200).await;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(bundle.local.admin_key.secret, key);
        bundle.local.stop().await.unwrap();
    }
}

/// Another process may remember a key for a minute, and no longer.
#[tokio::test]
async fn a_key_that_another_process_deleted_ends_within_a_minute() {
    let bundle = Bundle::start().await;
    let (id, key) = make_key(&bundle, "read").await;
    let list = || with_key(&bundle, Method::GET, "/v1/hooks", &key);
    expect(list(), 200).await;
    let store = &bundle.local.app.store;
    store.remove_key(&store.find(&id).await.unwrap().unwrap()).await.unwrap();
    bundle.clock.advance(std::time::Duration::from_secs(60));
    eventually(|| async { (answer(list()).await.status == 401).then_some(()) }).await;
}

#[tokio::test]
async fn the_first_key_of_a_deployment_is_made_by_a_direct_invocation() {
    let bundle = Bundle::start().await;
    let mut api_keys = Lambda::start("api-keys", &bundle, &[]).await;
    let made = api_keys.invoke(&json!({ "name": "First", "scope": "admin" })).await.answer();
    let key = string(&made["key"]);
    expect(with_key(&bundle, Method::GET, "/v1/keys", &key), 200).await;
    let problem = api_keys.invoke(&json!({ "name": "", "scope": "root" })).await.problem("invalid_body");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
    assert_eq!(bundle.all("/v1/keys").await.len(), 2, "with the first one of the bundle");
    let log = api_keys.log();
    assert!(log.contains("direct") && !log.contains(key.trim_start_matches("sbk_")), "{log}");
}
