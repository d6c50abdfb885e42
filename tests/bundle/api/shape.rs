//! `POST /v1/hooks/{id}/shape`.

use crate::support::assertions::{make_key, pointers, refused, with_key};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Bundle, TestHook, expect, string};

async fn shape(bundle: &Bundle, hook: &TestHook, source: Value) -> Value {
    let answer = bundle.post(&format!("/v1/hooks/{}/shape", hook.id), &source, 200).await;
    assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    answer["shape"].clone()
}

async fn event(bundle: &Bundle, hook: &TestHook, body: &str) -> String {
    string(&bundle.send(&hook.url, body.to_owned()).await.json()["event"])
}

#[tokio::test]
async fn a_body_is_shown_without_its_content() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    let body = json!({
        "user": { "id": "s13d85634-366f", "name": "Zoë Park", "email": "zoe@example.org", "channel": "facebook", "shoe": 42 },
        "tag": "allergic to nuts", "environment": "live",
        "friends": { "771001": { "name": "Ben" }, "ben@example.org": [1764288000, true, null] },
    });
    event(&bundle, &hook, &body.to_string()).await;
    let expected = json!({
        "user": { "id": "x0x0x0x0x0x0x0x0", "name": "xxxx xxx", "email": "xxxx@example.com", "channel": "facebook", "xxxx": 11 },
        "tag": "xxxx xxxx xxxx x", "environment": "live",
        "xxxxxxxx": { "11111111": { "name": "xxxx" }, "xxxx@example.com": [1767225600, true, null] },
    });
    assert_eq!(shape(&bundle, &hook, json!({})).await.to_string(), expected.to_string());
}

#[tokio::test]
async fn the_body_is_the_named_or_the_newest_one() {
    let bundle = Bundle::start().await;
    let (hook, other) = (bundle.hook("botstar.watch-tag").await, bundle.hook("botstar.watch-tag").await);
    let path = format!("/v1/hooks/{}/shape", hook.id);
    let none = refused(bundle.request(Method::POST, &path), 404, "not_found").await;
    assert!(string(&none["detail"]).contains("no such body"), "{none}");

    bundle.send(&hook.url, "hello, this is Ava").await;
    let rejected = string(&bundle.all(&format!("/v1/hooks/{}/rejected", hook.id)).await[0]["id"]);
    assert_eq!(shape(&bundle, &hook, json!({})).await, json!("xxxx xxxx xxxx xxxx xxxx xxxx xx"));
    let first = event(&bundle, &hook, r#"{"tag":"a"}"#).await;
    let second = event(&bundle, &hook, r#"{"tag":"ab","user":{"id":7}}"#).await;
    let form = bundle.http.post(&other.url).header("content-type", "application/x-www-form-urlencoded");
    let form = form.body("user%5Bid%5D=771&tag=vip&ava%40example.org=1");
    let form = string(&expect(form, 200).await["event"]);
    let newest = json!({ "tag": "xx", "user": { "id": 1 } });
    for (source, expected) in [
        (json!({}), newest.clone()),
        (json!({ "event": null, "rejected": null }), newest.clone()),
        (json!({ "event": second }), newest),
        (json!({ "event": first }), json!({ "tag": "x" })),
        (json!({ "rejected": rejected }), json!("xxxx xxxx xxxx xxxx xxxx xxxx xx")),
    ] {
        assert_eq!(shape(&bundle, &hook, source.clone()).await, expected, "{source}");
    }
    let expected = json!({ "user[id]": "1111", "tag": "xxxx", "xxxx@example.com": "1" });
    assert_eq!(shape(&bundle, &other, json!({ "event": form })).await, expected);
    let (begin, end) = rejected.split_at(rejected.len() - 1);
    let unknown = format!("{begin}{}", if end == "0" { "g" } else { "0" });
    for foreign in [json!({ "event": form }), json!({ "rejected": unknown })] {
        refused(bundle.request(Method::POST, &path).json(&foreign), 404, "not_found").await;
    }
    let of_other = json!({ "rejected": rejected });
    refused(bundle.request(Method::POST, &format!("/v1/hooks/{}/shape", other.id)).json(&of_other), 404, "not_found")
        .await;
    let both = json!({ "event": first, "rejected": rejected });
    let problem = refused(bundle.request(Method::POST, &path).json(&both), 422, "invalid_body").await;
    assert_eq!(pointers(&problem), ["/rejected"]);
    for bad in [json!({ "event": "x" }), json!({ "event": 7 }), json!({ "rejected": [] }), json!({ "x": 1 }), json!([])]
    {
        refused(bundle.request(Method::POST, &path).json(&bad), 422, "invalid_body").await;
    }
    refused(bundle.request(Method::POST, "/v1/hooks/hook_none/shape"), 404, "not_found").await;
}

#[tokio::test]
async fn an_erased_body_is_not_found_and_the_one_before_it_is_the_newest() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-tag").await;
    event(&bundle, &hook, r#"{"tag":"first"}"#).await;
    let erased = event(&bundle, &hook, r#"{"user":{"id":"u-771001"},"tag":"second one"}"#).await;
    let [person] = bundle.until_count("/v1/subscribers", 1).await.try_into().unwrap();
    bundle.delete(&format!("/v1/subscribers/{}", string(&person["id"])), 204).await;
    let path = format!("/v1/hooks/{}/shape", hook.id);
    refused(bundle.request(Method::POST, &path).json(&json!({ "event": erased })), 404, "not_found").await;
    assert_eq!(shape(&bundle, &hook, json!({})).await, json!({ "tag": "xxxxxxxx" }));
}

#[tokio::test]
async fn only_an_admin_key_sees_a_shape() {
    let bundle = Bundle::start().await;
    let hook = bundle.hook("botstar.watch-item").await;
    let path = format!("/v1/hooks/{}/shape", hook.id);
    for scope in ["read", "operate", "act"] {
        let (_, key) = make_key(&bundle, scope).await;
        refused(with_key(&bundle, Method::POST, &path, &key), 403, "forbidden").await;
    }
}
