//! Ends of keys, and the key that a caller has.

use crate::support::{
    assertions::{make_key, pointers, problem, refused, with_key},
    harness::items,
};
use models::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use store::keys::Key;
use tests::{Bundle, Lambda, answer, expect, string};

const DAY: u64 = 86_400;

/// A key that ends so many seconds from now; its id and the key itself.
async fn ending(bundle: &Bundle, scope: &str, seconds: u64) -> (String, String) {
    let end = bundle.local.app.now().plus_seconds(seconds);
    let made = bundle.post("/v1/keys", &json!({ "name": "n", "scope": scope, "expires_at": end }), 201).await;
    assert_eq!(made["expires_at"], json!(end));
    (string(&made["id"]), string(&made["key"]))
}

#[tokio::test]
async fn a_key_ends_at_once_although_it_is_cached() {
    let bundle = Bundle::start().await;
    bundle.clock.hold();
    let (id, key) = ending(&bundle, "read", 30).await;
    let list = || with_key(&bundle, Method::GET, "/v1/hooks", &key);
    expect(list(), 200).await;
    bundle.clock.advance(Duration::from_millis(29_999));
    expect(list(), 200).await;
    bundle.clock.advance(Duration::from_millis(1));
    for _ in 0..2 {
        let refused = problem(&answer(list()).await, 401, "unauthorized");
        assert_eq!(refused["detail"], "the key has expired");
        bundle.clock.advance(Duration::from_secs(120));
    }
    // It stays listed, and may be deleted.
    let listed = bundle.all("/v1/keys").await;
    assert!(listed.iter().any(|listed| listed["id"] == *id && listed["expires_at"].is_string()), "{listed:?}");
    bundle.delete(&format!("/v1/keys/{id}"), 204).await;
}

/// DynamoDB deletes items by their `expires`.
#[tokio::test]
async fn an_expired_key_leaves_the_list_a_month_after_its_end() {
    let bundle = Bundle::start().await;
    let store = &bundle.local.app.store;
    let expires = async |id: &str| store.find::<Key>(id).await.unwrap().unwrap().expires;
    let (ending, _) = ending(&bundle, "read", DAY).await;
    let end = store.find::<Key>(&ending).await.unwrap().unwrap().expires_at.unwrap();
    assert_eq!(expires(&ending).await, Some(end.seconds() + 30 * DAY));
    let (endless, _) = make_key(&bundle, "read").await;
    assert_eq!(expires(&endless).await, None);
    let kept = items(&bundle.local.app, &bundle.local.app.config.tables.control).await;
    let digests: Vec<_> = kept.iter().filter(|item| item.contains("key_sha256#") && item.contains(&ending)).collect();
    assert!(
        digests.len() == 1 && digests[0].contains(&format!("expires: {}", end.seconds() + 30 * DAY)),
        "{digests:?}"
    );
}

#[tokio::test]
async fn an_end_is_a_time_ahead_by_ten_years_at_most() {
    let bundle = Bundle::start().await;
    let now = bundle.local.app.now();
    let ten_years = now.plus_seconds(3_650 * DAY);
    for end in [json!(null), json!(now.plus_seconds(60)), json!(ten_years), json!("2030-01-01T02:00:00+02:00")] {
        bundle.post("/v1/keys", &json!({ "name": "n", "scope": "read", "expires_at": end }), 201).await;
    }
    for end in [
        json!(now),
        json!(Timestamp::from_millis(0)),
        json!(now.plus_seconds(3_660 * DAY)),
        json!("9999-12-31T23:59:59Z"),
        json!("tomorrow"),
        json!("2030-01-01"),
        json!("2030-02-30T00:00:00Z"),
        json!(""),
        json!(1_900_000_000),
        json!({}),
    ] {
        let new = json!({ "name": "n", "scope": "read", "expires_at": end });
        let refused = refused(bundle.request(Method::POST, "/v1/keys").json(&new), 422, "invalid_body").await;
        assert_eq!(pointers(&refused), ["/expires_at"], "{end}");
    }
    let mut api_keys = Lambda::start("api-keys", &bundle, &[]).await;
    let late = json!({ "name": "n", "scope": "read", "expires_at": "2020-01-01T00:00:00Z" });
    let problem = api_keys.invoke(&late).await.problem("invalid_body");
    assert_eq!(problem["errors"][0]["detail"], "must be in the future");
    assert_eq!(bundle.all("/v1/keys").await.len(), 5);
}

#[tokio::test]
async fn an_admin_key_without_an_end_stays() {
    let bundle = Bundle::start().await;
    let first = string(&bundle.all("/v1/keys").await[0]["id"]);
    let (limited, key) = ending(&bundle, "admin", DAY).await;
    for by in [&bundle.key, &key] {
        let delete = with_key(&bundle, Method::DELETE, &format!("/v1/keys/{first}"), by);
        refused(delete, 409, "last_admin_key").await;
    }
    bundle.delete(&format!("/v1/keys/{limited}"), 204).await;
    let (second, admin) = make_key(&bundle, "admin").await;
    expect(with_key(&bundle, Method::DELETE, &format!("/v1/keys/{first}"), &admin), 204).await;
    let last = with_key(&bundle, Method::DELETE, &format!("/v1/keys/{second}"), &admin);
    refused(last, 409, "last_admin_key").await;
}

#[tokio::test]
async fn every_key_may_read_what_it_is() {
    let bundle = Bundle::start().await;
    let end = bundle.local.app.clock.now().plus_seconds(DAY);
    for (scope, end) in [("read", json!(end)), ("operate", Value::Null), ("act", Value::Null), ("admin", json!(end))] {
        let new = json!({ "name": format!("a key for {scope}"), "scope": scope, "expires_at": end });
        let mut made = bundle.post("/v1/keys", &new, 201).await;
        let key = string(&made.as_object_mut().unwrap().shift_remove("key").unwrap());
        let current = || with_key(&bundle, Method::GET, "/v1/keys/current", &key);
        let answer = answer(current()).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, made.clone()));
        assert!(!answer.text.contains(&key), "{}", answer.text);
        // Another process deletes the key, which this one still has in its cache.
        let store = &bundle.local.app.store;
        store.remove_key(&store.find(made["id"].as_str().unwrap()).await.unwrap().unwrap()).await.unwrap();
        refused(current(), 401, "unauthorized").await;
    }
    refused(bundle.http.get(format!("{}/v1/keys/current", bundle.url)), 401, "unauthorized").await;
    refused(bundle.request(Method::DELETE, "/v1/keys/current"), 405, "method_not_allowed").await;
}
